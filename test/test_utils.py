import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from velora_ros.errors import ConfigError, StorageError, did_you_mean
from velora_ros.utils import (
    EXTRAS,
    atomic_write,
    how_to_install,
    listen_to_slow_steps,
    set_device,
    set_seed,
    share_path,
    slow_step,
    write_line,
)  # fmt: skip


def test_set_seed_fixes_torch_and_numpy() -> None:
    def draw() -> tuple[float, float]:
        set_seed(64)
        return torch.rand(1).item(), float(np.random.rand())  # noqa: NPY002 - the global generator is the point

    assert draw() == draw()


@pytest.mark.parametrize('seed', [-1, 2**32, 1.5, True, 'x'])
def test_a_seed_that_is_none_is_refused(seed: object) -> None:
    with pytest.raises(ConfigError, match='seed'):
        set_seed(seed)  # type: ignore[arg-type]


def test_a_device_is_chosen_or_refused_by_name() -> None:
    assert set_device().type in {'cpu', 'cuda'}
    assert set_device('cpu') == torch.device('cpu')
    with pytest.raises(ConfigError, match='toaster'):
        set_device('toaster')


@pytest.mark.parametrize('name', ['mps', 'xpu', 'cuda:7', 'gpu', 'cpu:3', '', 'cuda:-1', torch.device('mps'), 3.5])
def test_a_device_that_is_not_here_is_answered_with_those_that_are(name: Any) -> None:
    with pytest.raises(ConfigError) as error:
        set_device(name)
    message = str(error.value)
    assert "valid here are 'auto', 'cpu'" in message and '\n' not in message
    assert "'cuda:0'" in message if torch.cuda.is_available() else "'cuda:0'" not in message


def test_without_a_gpu_cuda_is_refused_by_name_and_with_two_the_third_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name in ('cuda', 'cuda:0', torch.device('cuda')):
        with pytest.raises(ConfigError, match="but torch sees no CUDA device here; valid here are 'auto', 'cpu'\\."):
            set_device(name)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    assert set_device('cuda:1') == torch.device('cuda:1')
    with pytest.raises(ConfigError, match=r"sees 2 CUDA devices here; valid here are .*'cuda', 'cuda:0', 'cuda:1'\."):
        set_device('cuda:2')


def test_only_a_step_that_takes_long_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with listen_to_slow_steps(said.append):
        with slow_step('quick', after=60.0):
            pass
        heard = threading.Event()
        with listen_to_slow_steps(lambda text: (said.append(text), heard.set())), slow_step('slow', after=0.0):
            assert heard.wait(10.0)
    assert said == ['slow']
    assert capsys.readouterr() == ('', '')


def test_a_file_is_written_whole_and_an_old_one_survives_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    with atomic_write(path) as file:
        file.write(b'first')

    def fail_half_way() -> None:
        with atomic_write(path) as file:
            file.write(b'second')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match='No space left'):
        fail_half_way()
    assert path.read_bytes() == b'first'
    assert [entry.name for entry in tmp_path.iterdir()] == ['file']


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match='nowhere'), atomic_write(tmp_path / 'nowhere' / 'file'):
        pass


def test_shipped_data_are_found_in_the_source_tree_and_in_an_installed_prefix(tmp_path: Path) -> None:
    assert share_path('package.xml').is_file()
    code = 'import velora_ros.utils as u; print(u.share_path("config"))'
    (tmp_path / 'site' / 'velora_ros').mkdir(parents=True)
    source = Path(share_path('velora_ros'))
    for name in ('__init__.py', 'utils.py', 'errors.py'):
        (tmp_path / 'site' / 'velora_ros' / name).write_bytes((source / name).read_bytes())
    installed = tmp_path / 'prefix' / 'share' / 'velora_ros' / 'config'
    installed.mkdir(parents=True)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'site'), 'AMENT_PREFIX_PATH': str(tmp_path / 'prefix')}
    run = subprocess.run(
        [sys.executable, '-c', code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(run.stdout.strip()) == installed


def test_importing_the_package_and_its_helpers_loads_no_torch() -> None:
    code = 'import sys, velora_ros, velora_ros.utils, velora_ros.liquid, velora_ros.models, velora_ros.control; '
    code += 'sys.exit("torch" in sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    assert did_you_mean('gama', ['tau', 'gamma']) == " Did you mean 'gamma'? Valid: gamma, tau."
    assert did_you_mean('zzz', []) == ' Valid: none.'


@pytest.mark.parametrize('error', [False, True])
@pytest.mark.parametrize('line', ['a line', b'a line'])
def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(
    line: str | bytes, error: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'stderr' if error else 'stdout'
    with open('/dev/full', 'w') as full:  # closing it flushes what is left
        monkeypatch.setattr(sys, name, full)
        assert write_line(line, error=error)
    monkeypatch.setattr(sys, name, None)
    assert write_line(line, error=error)


def test_the_lines_after_one_that_was_lost_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / 'log').open('w') as log, open('/dev/full', 'w') as full:
        monkeypatch.setattr(sys, 'stdout', full)
        assert write_line('lost')
        os.dup2(log.fileno(), full.fileno())  # there is space again
        assert write_line('kept')
    assert (tmp_path / 'log').read_text() == 'kept\n'


def test_a_line_tells_when_its_reader_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, 'w') as pipe:
        monkeypatch.setattr(sys, 'stdout', pipe)
        assert not write_line('a line')


def test_what_is_to_be_installed_is_what_setup_py_names() -> None:
    text = (Path(__file__).parents[1] / 'setup.py').read_text()
    for extra, names in EXTRAS.items():
        listed = re.search(rf"^        '{extra}': \[(.*?)\],$", text, re.DOTALL | re.MULTILINE)
        assert listed is not None
        assert set(names) == {word.partition('>=')[0] for word in re.findall(r"'(.*?)'", listed[1])}
    assert "pip install torch 'gymnasium[torch]' matplotlib" in how_to_install('train')
