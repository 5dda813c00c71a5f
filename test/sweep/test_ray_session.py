"""Which folders of Ray are removed. Ray itself runs in test/cli/test_sweep.py."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from velora_ros.sweep import ray_session

HOLD = """
import sys
from velora_ros.sweep.ray_session import _own_files
print(_own_files()[0], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_session, 'LONGEST_FOLDER', 1000)
    monkeypatch.setattr(ray_session.tempfile, 'gettempdir', lambda: str(tmp_path))
    return tmp_path


def own():
    folder, descriptor = ray_session._own_files()
    return folder, descriptor


def abandoned(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / ray_session.OWNER).touch()
    return folder


def test_the_folder_of_a_dead_process_is_removed_and_one_in_use_stays(temporary):
    first, descriptor = own()
    second, other = own()
    assert first.exists() and second.exists()
    os.close(descriptor)  # as when its process ends
    third, another = own()
    assert not first.exists()
    assert second.exists() and third.exists()
    os.close(other)
    os.close(another)


@pytest.mark.parametrize('pid', ['4194999', '1'])
def test_a_folder_of_a_process_that_is_not_seen_from_here_stays(temporary, pid):
    """Another container has other process ids: 4194999 may exist there although it does not exist here."""
    folder = abandoned(temporary, f'ray-{pid}-x')
    with (folder / ray_session.OWNER).open('r+') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _, descriptor = own()
        assert folder.exists()
    os.close(descriptor)


def test_a_folder_of_another_program_is_left_alone(temporary):
    foreign = temporary / 'ray-4194999-tracing'
    foreign.mkdir()
    (foreign / 'scene.txt').write_text('rays')
    link = abandoned(temporary, 'ray-4194998-y')
    (link / ray_session.OWNER).unlink()
    (link / ray_session.OWNER).symlink_to(foreign / 'scene.txt')
    _, descriptor = own()
    os.close(descriptor)
    assert foreign.exists() and link.exists()


def test_the_lock_ends_with_a_killed_process(temporary):
    environment = {**os.environ, 'TMPDIR': str(temporary)}
    child = subprocess.Popen(
        [sys.executable, '-c', HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    folder = Path(child.stdout.readline().strip())
    assert folder.exists()
    assert not ray_session._is_abandoned(folder)
    child.kill()
    child.communicate()
    assert ray_session._is_abandoned(folder)
