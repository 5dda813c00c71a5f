import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / 'tools' / 'changelog'


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository with the tool and a changelog; `clone(*arguments)` runs git, `clone.check()` the tool."""
    for name in ('AUTHOR', 'COMMITTER'):
        monkeypatch.setenv(f'GIT_{name}_NAME', 'somebody')
        monkeypatch.setenv(f'GIT_{name}_EMAIL', 'somebody@example.org')
    monkeypatch.delenv('CHANGELOG_BASE', raising=False)
    return Clone(tmp_path / 'repository')


class Clone:
    def __init__(self, path, origin=None, *options):
        self.path = path
        if origin is None:
            path.mkdir()
            self.git('init', '--quiet', '--initial-branch=main')
        else:
            subprocess.run(['git', 'clone', '--quiet', *options, f'file://{origin}', path], check=True)

    def git(self, *arguments):
        subprocess.run(['git', *arguments], cwd=self.path, check=True, capture_output=True)

    def commit(self, **files):
        paths = {'code': 'velora_ros/errors.py', 'log': 'CHANGELOG.rst', 'test': 'test/test_errors.py'}
        for name, text in files.items():
            path = self.path / paths[name]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        (self.path / 'tools').mkdir(exist_ok=True)
        (self.path / 'tools' / 'changelog').write_bytes(TOOL.read_bytes())
        self.git('add', '--all')
        self.git('commit', '--quiet', '--allow-empty', '--message', 'a change')

    def passes(self):
        done = subprocess.run(['bash', 'tools/changelog'], cwd=self.path, check=False, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        assert done.returncode == 0 or 'velora_ros/errors.py' in done.stderr
        return done.returncode == 0


def test_a_first_commit_needs_an_entry(clone):
    clone.commit(code='x = 1\n', log='Forthcoming\n-----------\n')
    assert not clone.passes()
    clone.commit(log='Forthcoming\n-----------\n* A thing.\n')
    assert clone.passes()


def test_a_change_after_a_release_needs_an_entry(clone):
    clone.commit(code='x = 1\n', log='0.1.0\n-----\n* A thing.\n')
    clone.git('tag', '0.1.0')
    assert clone.passes()
    clone.commit(code='x = 2\n')
    assert not clone.passes()
    clone.commit(log='Forthcoming\n-----------\n* Another thing.\n\n0.1.0\n-----\n* A thing.\n')
    assert clone.passes()


def test_a_change_to_the_main_branch_needs_an_entry_committed_or_not(clone, tmp_path):
    clone.commit(code='x = 1\n', log='* A thing.\n')
    ours = Clone(tmp_path / 'ours', clone.path)
    ours.commit(test='def test(): pass\n')
    assert ours.passes()
    (ours.path / 'velora_ros' / 'errors.py').write_text('x = 2\n')
    assert not ours.passes()
    ours.commit()
    assert not ours.passes()
    ours.commit(log='* A thing.\n* Another thing.\n')
    assert ours.passes()


def test_removing_an_entry_does_not_count_as_one(clone):
    clone.commit(code='x = 1\n', log='* A thing.\n* Another thing.\n')
    clone.git('tag', '0.1.0')
    clone.commit(code='x = 2\n', log='* A thing.\n')
    assert not clone.passes()


def test_a_shallow_clone_can_be_checked(clone, tmp_path):
    clone.commit(code='x = 1\n', log='* A thing.\n')
    clone.commit(code='x = 2\n')
    assert Clone(tmp_path / 'shallow', clone.path, '--depth=1').passes()
