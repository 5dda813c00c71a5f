import contextlib
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from with_parent import with_parent

import velora_ros
from velora_ros.cli import inspect
from velora_ros.cli.main import main
from velora_ros.errors import ConfigError, PolicyFileError, StorageError
from velora_ros.gym import make, spec_from_env

ROOT = Path(velora_ros.__file__).parents[1]
BEGUN = """
import pathlib
import gymnasium
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv
class Begun(InvertedPendulumEnv):
    def reset(self, *, seed=None, options=None):
        pathlib.Path('begun').touch()
        return super().reset(seed=seed, options=options)
gymnasium.register('Begun-v0', Begun)
"""


# As the installed program starts. With `python -m`, Python ends by SIGINT itself if Ctrl-C came inside exec(), even if
# the program caught it.
PROGRAM = 'import sys; from velora_ros.cli.main import main; sys.exit(main())'


def start(*arguments, **options):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.Popen(
        with_parent([sys.executable, '-c', PROGRAM, *arguments]),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


@pytest.mark.parametrize(
    'arguments', [['--help'], ['train', '--help'], ['evaluate', '-h'], ['inspect', '-h'], ['--version']]
)
def test_help_exits_0(arguments, capsys):
    assert main(arguments) == 0
    assert 'velora_ros' in capsys.readouterr().out


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['fly'],
        ['inspect'],
        ['train', '--env', 'A-v0', '--steps', '5', '--episodes', '5'],
        ['train', '--env', 'A-v0', '--steps', '0'],
        ['train', '--env', 'A-v0', '--steps', 'many'],
        ['train', '--env', 'A-v0', '--seed', '-1'],
        ['train', '--env', 'A-v0', '--gamma', 'high'],
        ['train', '--env', 'A-v0', '--gama', '0.9'],
        ['evaluate', 'p', '--episodes', '0'],
        ['evaluate', 'p', '--engine', 'jax'],
    ],
)
def test_a_wrong_call_shows_the_usage_and_exits_2(arguments, capsys):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ''
    assert 'usage: velora_ros' in output.err


@pytest.mark.parametrize(
    ('error', 'status', 'shown'),
    [
        (PolicyFileError('it is\nbroken.'), 1, 'velora_ros: error: it is broken.\n'),
        (StorageError('disk full.'), 1, 'velora_ros: error: disk full.\n'),
        (ConfigError('gamma is 2.'), 2, 'velora_ros: error: gamma is 2.\n'),
        (FileNotFoundError(2, 'No such file', 'x.txt'), 1, 'velora_ros: error: No such file: x.txt.\n'),
        (KeyboardInterrupt(), 130, 'velora_ros: error: interrupted.\n'),
    ],
)
def test_an_error_is_one_sentence_and_a_status(monkeypatch, capsys, error, status, shown):
    def fail(_):
        raise error

    monkeypatch.setattr(inspect, 'run', fail)
    assert main(['inspect', 'p']) == status
    assert capsys.readouterr().err == shown


def test_a_warning_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(inspect, 'run', lambda _: warnings.warn('T is 1 s', stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter('default')
        assert main(['inspect', 'p']) == 0
    assert capsys.readouterr().err == 'velora_ros: warning: T is 1 s\n'


def test_a_missing_file_is_reported_by_the_process_without_a_traceback(tmp_path):
    process = start('inspect', str(tmp_path / 'absent.safetensors'))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, '')
    assert err.startswith('velora_ros: error: policy file')
    assert err.count('\n') == 1


def test_a_reader_that_leaves_early_causes_no_traceback(make_policy_file, tmp_path):
    make_policy_file(200, 64).save(tmp_path / 'p')
    process = start('inspect', str(tmp_path / 'p'))
    process.stdout.close()
    assert 'Traceback' not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)


@pytest.mark.parametrize(
    ('output', 'status', 'said'),
    [('>&-', 0, ''), ('>/dev/full', 1, 'velora_ros: error: No space left on device: no file.\n')],
)
def test_output_that_is_closed_or_full_causes_no_traceback(make_policy_file, tmp_path, output, status, said):
    make_policy_file().save(tmp_path / 'p')
    command = f'exec {sys.executable} -m velora_ros inspect {tmp_path / "p"} {output}'
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    result = subprocess.run(
        ['sh', '-c', command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (status, said)


def test_ctrl_c_exits_130(opengl, make_policy_file, tmp_path):
    make_policy_file(spec=spec_from_env(make('InvertedPendulum-v5'))).save(tmp_path / 'p')
    (tmp_path / 'begun.py').write_text(BEGUN)
    options = ['--env', 'begun:Begun-v0', '--episodes', '1000000', '--render', 'film.gif']
    process = start('evaluate', 'p', *options, cwd=tmp_path)
    with process:
        while not (tmp_path / 'begun').exists():
            assert process.poll() is None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, 'velora_ros: error: interrupted.\n')


def test_neither_evaluate_nor_inspect_needs_torch(make_policy_file, tmp_path):
    make_policy_file().save(tmp_path / 'p')
    code = (
        'import sys; from velora_ros.cli.main import main\n'
        f'assert main(["inspect", {str(tmp_path / "p")!r}]) == 0\n'
        f'assert main(["evaluate", {str(tmp_path / "p")!r}, "--episodes", "1"]) in (0, 1)\n'
        'assert main(["train", "--help"]) == 0\n'
        'assert not {"torch", "tqdm", "matplotlib", "rclpy"} & sys.modules.keys()'
    )
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    result = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr


def test_debug_adds_the_traceback_to_the_one_sentence_of_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'bad_env.py').write_text(
        'import gymnasium\ndef no_luck(**_): raise RuntimeError("no licence")\ngymnasium.register("Bad-v0", no_luck)'
    )
    call = ['train', '--env', 'bad_env:Bad-v0', '--steps', '9', '--run-dir', str(tmp_path / 'run')]
    assert main(call) == 1
    [*_, sentence] = plain = capsys.readouterr().err.splitlines()
    assert 'its constructor failed with RuntimeError: no licence' in sentence
    assert not any('Traceback' in line for line in plain)
    for shown in ([*call, '--debug'], ['--debug', *call]):
        assert main(shown) == 1
        error = capsys.readouterr().err
        assert 'Traceback (most recent call last)' in error
        assert 'in no_luck' in error
        assert error.splitlines()[-1] == sentence
    assert not (tmp_path / 'run').exists()


def test_ctrl_c_while_the_commands_are_imported_is_one_line():
    code = (
        'import signal, sys\n'
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        'class Interrupts:\n'
        '    def find_spec(self, name, *_):\n'
        '        if name == "gymnasium":\n'
        '            signal.raise_signal(signal.SIGINT)\n'
        'sys.meta_path.insert(0, Interrupts())\n'
        'from velora_ros.cli.main import main\n'
        'sys.exit(main(["inspect", "a"]))\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, 'velora_ros: error: interrupted.\n')
