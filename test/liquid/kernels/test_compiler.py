import importlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import velora_ros
from velora_ros.liquid.kernels import compiler

PACKAGE = Path(velora_ros.__file__).parent
IMPORTS = """
import numba, sys
import velora_ros.models.backends.numba_backend, velora_ros.replay_buffers.sequence_buffer  # every compiled loop
print(numba.config.CACHE_DIR)
"""


@pytest.fixture(scope='module')
def read_only_install(tmp_path_factory):
    """A copy of the package in which numba finds no place for a cache beside any source."""
    install = tmp_path_factory.mktemp('install')
    shutil.copytree(PACKAGE, install / 'velora_ros', ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('policy', 'liquid/kernels', 'models', 'models/backends', 'replay_buffers'):
        (install / 'velora_ros' / name / '__pycache__').write_text('in the way')
    return install


def without_a_home(install, tmp_path, *, writable):
    """Environment variables for a process of the install; without a writable temporary folder it keeps no code."""
    places = ('HOME', 'XDG_CACHE_HOME', 'NUMBA_CACHE_DIR')
    environment = {name: value for name, value in os.environ.items() if name not in places}
    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    if not writable:  # root may write everywhere, but not into a file
        (temporary / f'velora_ros-compiled-{os.getuid()}').write_text('in the way')
    return environment | {'HOME': '/dev/null', 'PYTHONPATH': str(install), 'TMPDIR': str(temporary)}


@pytest.mark.parametrize('writable', [True, False])
def test_training_is_imported_from_a_read_only_install_without_a_home(read_only_install, tmp_path, writable):
    environment = without_a_home(read_only_install, tmp_path, writable=writable)
    done = subprocess.run(
        [sys.executable, '-c', IMPORTS], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place = f'{tmp_path / "tmp"}/velora_ros-compiled-{os.getuid()}' if writable else ''
    assert done.stdout.strip() == place
    assert not (tmp_path / '~').exists()


def test_a_temporary_folder_that_others_could_write_into_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler.tempfile, 'gettempdir', lambda: str(tmp_path))
    folder = compiler.temporary_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert compiler.temporary_folder() == folder
    folder.chmod(0o777)
    assert compiler.temporary_folder() is None
    folder.rmdir()
    (tmp_path / 'elsewhere').mkdir(mode=0o700)
    folder.symlink_to(tmp_path / 'elsewhere')
    assert compiler.temporary_folder() is None


TRAINING = """
import sys
from toy import Reach
from velora_ros.models import LiquidDDPG
options = dict(start_steps=10, boost_ratio=1.0, eval_every=0, progress=False)
model = LiquidDDPG(2, 4, 1, seed=0, backend=sys.argv[1])
model.train(Reach(length=5), 8, total_steps=20, **options)
print(model.agent.backend_choice.name, model.agent.updates)
"""


@pytest.mark.parametrize('backend', ['torch', pytest.param('numba', marks=pytest.mark.slow)])  # numba compiles it all
@pytest.mark.parametrize('writable', [True, False])
def test_training_starts_on_a_read_only_install_without_a_home(read_only_install, tmp_path, writable, backend):
    environment = without_a_home(read_only_install, tmp_path, writable=writable)
    environment['PYTHONPATH'] += os.pathsep + str(Path(__file__).parents[2])
    command = [sys.executable, '-c', TRAINING, backend]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f'{backend} 11\n'), done.stderr
    assert not (tmp_path / '~').exists()


ONE_MOTOR = """
import numpy as np
from velora_ros.liquid.kernels.layers import one_motor
motor = np.empty(1, np.float32)
one_motor(np.ones(1, np.float32), np.ones((1, 1), np.float32), np.zeros(1, np.float32), motor)
print(f'{motor[0]:.3f}', sum(one_motor.stats.cache_hits.values()))
"""


def test_a_kernel_whose_callee_in_another_file_changed_is_compiled_anew(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / 'velora_ros', ignore=shutil.ignore_patterns('__pycache__'))
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path), 'NUMBA_CACHE_DIR': str(tmp_path / 'cache')}

    def run() -> str:
        command = [sys.executable, '-c', ONE_MOTOR]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert [run(), run()] == ['0.762 0', '0.762 1']  # tanh 1, compiled and then read from the cache
    source = tmp_path / 'velora_ros/liquid/kernels/activations.py'
    text = source.read_text()
    source.write_text(text.replace('return np.float32(2.0) * p * q', 'return np.float32(4.0) * p * q'))
    assert source.read_text() != text
    assert [run(), run()] == ['1.523 0', '1.523 1']


def test_a_kernel_calls_kernels_of_its_own_file_or_of_this_folder_alone():
    """The cache's key covers these two."""
    from numba.core.dispatcher import Dispatcher
    from numba.core.extending import _Intrinsic

    kernels = {}
    for path in PACKAGE.rglob('*.py'):
        if 'kernels' in path.parts or 'import kernel' in path.read_text() or 'import jit' in path.read_text():
            name = '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts)
            for value in vars(importlib.import_module(name)).values():
                if isinstance(value, Dispatcher):
                    kernels[value.py_func.__module__, value.py_func.__name__] = value.py_func
    assert len(kernels) > 40
    folder = PACKAGE / 'liquid/kernels'
    for function in kernels.values():
        callees = [function.__globals__.get(name) for name in function.__code__.co_names]
        for callee in callees:
            if isinstance(callee, Dispatcher | _Intrinsic):
                inner = callee.py_func if isinstance(callee, Dispatcher) else callee._defn
                file = Path(inspect.getfile(inner))
                assert file == Path(inspect.getfile(function)) or file.parent == folder, (function, inner)
