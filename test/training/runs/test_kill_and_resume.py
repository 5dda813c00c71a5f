import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from run_folders import assert_same_run

import velora_ros
from velora_ros.training import RunPaths

HERE = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    'PYTHONPATH': os.pathsep.join([str(Path(velora_ros.__file__).parents[1]), str(HERE)]),
    'OMP_NUM_THREADS': '1',
    'OPENBLAS_NUM_THREADS': '1',
}


def script(name: str, *arguments: object, before: tuple[str, ...] = ()) -> None:
    command = [*before, sys.executable, HERE / f'{name}.py', *map(str, arguments)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- killed


def kill_and_compare(folder: Path, kills: int, seed: int) -> dict[str, int]:
    script('run_and_kill', folder, kills, seed)
    counts: dict[str, int] = json.loads((folder / 'counts.json').read_text())
    for number in range(counts['finished']):
        assert_same_run(RunPaths(folder / 'whole'), RunPaths(folder / f'killed-{number}'))
    return counts


def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    counts = kill_and_compare(tmp_path, kills=3, seed=2)
    assert counts['moment'] + counts['write'] + counts['rename'] == 3


@pytest.mark.slow
def test_a_run_killed_at_twenty_points_goes_on_bit_for_bit(tmp_path: Path) -> None:
    counts = kill_and_compare(tmp_path, kills=20, seed=1)
    assert min(counts['moment'], counts['write'], counts['rename']) >= 3
    assert counts['left_unfinished'] > 0


# --- bad disks


def small_disk(folder: Path) -> tuple[tuple[str, ...], str]:
    """How to run a command with a disk of 1 MB in the folder, or without one where nobody may mount it."""
    mount = f'mount -t tmpfs -o size=1m none {folder} && exec "$@"'
    before = ('unshare', '-rm', 'sh', '-c', mount, 'sh')
    possible = shutil.which('unshare') and subprocess.run([*before, 'true'], capture_output=True, check=False)
    return (before, 'full') if possible and possible.returncode == 0 else ((), 'limit')


def test_a_full_disk_ends_the_run_with_its_last_checkpoint_intact(tmp_path: Path) -> None:
    before, how = small_disk(tmp_path)
    copied = tmp_path.with_name('said.txt')
    work = f'{sys.executable} {HERE}/run_on_bad_disk.py {tmp_path} {how} && cp {tmp_path}/error.txt {copied}'
    done = subprocess.run([*before, 'sh', '-c', work], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = copied.read_text()
    assert ('No space left on device' if how == 'full' else 'File too large') in said
    assert 'The run is kept up to step 35; resume it with: velora_ros train --resume' in said


@pytest.mark.parametrize('how', [pytest.param('limit', marks=pytest.mark.slow), 'read-only'])
def test_a_disk_that_takes_no_more_ends_the_run_with_its_last_checkpoint_intact(how: str) -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # another user can go there
    try:
        script('run_on_bad_disk', folder, how)
        said = (folder / 'error.txt').read_text()
    finally:
        shutil.rmtree(folder)
    assert ('File too large' if how == 'limit' else 'Permission denied') in said
    assert 'The run is kept up to step 35; resume it with: velora_ros train --resume' in said
