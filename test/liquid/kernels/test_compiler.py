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
import velora_ros.models.backends.numba_backend, velora_ros.replay.buffer  # every compiled loop of the training
print(numba.config.CACHE_DIR)
"""


@pytest.fixture(scope='module')
def read_only_install(tmp_path_factory):
    """A copy of the package in which numba finds no place for a cache beside any source."""
    install = tmp_path_factory.mktemp('install')
    shutil.copytree(PACKAGE, install / 'velora_ros', ignore=shutil.ignore_patterns('__pycache__'))
    for room in ('policy', 'liquid/kernels', 'models', 'models/backends', 'replay'):
        (install / 'velora_ros' / room / '__pycache__').write_text('in the way')
    return install


@pytest.mark.parametrize('writable', [True, False])
def test_training_is_imported_from_a_read_only_install_without_a_home(read_only_install, tmp_path, writable):
    places = ('HOME', 'XDG_CACHE_HOME', 'NUMBA_CACHE_DIR')
    environment = {name: value for name, value in os.environ.items() if name not in places}
    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    if not writable:  # root may write everywhere, but not into a file
        (temporary / f'velora_ros-compiled-{os.getuid()}').write_text('in the way')
    environment |= {'HOME': '/dev/null', 'PYTHONPATH': str(read_only_install), 'TMPDIR': str(temporary)}
    done = subprocess.run(
        [sys.executable, '-c', IMPORTS], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place = f'{temporary}/velora_ros-compiled-{os.getuid()}' if writable else ''
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
