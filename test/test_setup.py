"""The set-up of the environment, and the command lines that make builds. Nothing is installed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIM = '#!/bin/sh\necho "pyenv: command not found" >&2\nexit 127\n'
# As on a minimal Debian: a Python that runs, without the modules venv and ensurepip.
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *version_info*) echo 3.12 ;; *) exit 1 ;; esac\n'
OLD = '#!/bin/sh\necho 3.9\n'


@pytest.fixture
def set_up(tmp_path, monkeypatch):
    """Run tools/environment on a copy of its files, with only the given interpreters, each a script."""
    for folder in ('tools', 'requirements'):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ('Makefile', 'constraints.txt', 'setup.py', 'setup.cfg'):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / 'bin'
    tools.mkdir()
    for name in ('bash', 'cat', 'cut', 'dirname', 'flock', 'rm', 'sha256sum', 'touch', 'uname'):
        (tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv('PATH', str(tools))
    monkeypatch.setenv('PYENV_ROOT', str(tmp_path / 'none'))
    monkeypatch.delenv('PYTHON', raising=False)

    def run(what='control', *distribution, **interpreters):
        for name, script in interpreters.items():
            path = tools / name.replace('_', '.')
            path.write_text(script)
            path.chmod(0o755)
        command = [tmp_path / 'tools/environment', what, *distribution]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_without_python_it_says_what_to_install(set_up):
    code, said = set_up(python3_11=SHIM, python3=OLD)
    assert code == 1
    assert 'No Python 3.11, 3.12 or 3.13 runs here' in said
    assert 'apt install' in said
    assert 'pyenv' not in said


def test_a_python_without_venv_is_named_with_the_remedy(set_up):
    code, said = set_up(python3_11=SHIM, python3_12=WITHOUT_VENV)
    assert code == 1
    assert 'python3.12 is Python 3.12, but it lacks the modules' in said
    assert 'python3-venv' in said


def test_a_python_asked_for_that_does_not_fit_is_refused(set_up, monkeypatch):
    monkeypatch.setenv('PYTHON', 'python3')
    code, said = set_up(python3=OLD, python3_12=WITHOUT_VENV)
    assert code == 1
    assert "PYTHON=python3 reports the version '3.9'" in said


def test_an_unknown_environment_is_refused_with_the_valid_ones(set_up):
    code, said = set_up('robot')
    assert code == 1
    assert "'robot' is not an environment" in said
    assert all(name in said for name in ('control', 'train', 'test'))


def test_an_unknown_distribution_is_refused_with_the_valid_ones(set_up):
    code, said = set_up('control', 'rolling')
    assert code == 1
    assert "'rolling' is not a ROS 2 distribution" in said
    assert 'jazzy kilted' in said


@pytest.fixture
def make(monkeypatch):
    """Return the commands that a make target would run, as text."""
    for name in [name for name in os.environ if name.startswith(('MAKE', 'MFLAGS'))]:
        monkeypatch.delenv(name)

    def run(*arguments):
        command = ['make', '--dry-run', *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    return run


def test_make_passes_its_arguments_to_the_nodes(make):
    said = make('control', 'DURATION=60', 'ENV=Hopper-v5', "POLICY=it's mine.safetensors", 'ARGS=sim:=false')
    for argument in ("'duration:=60'", "'env:=Hopper-v5'", r"'policy:=it'\''s mine.safetensors'", 'sim:=false'):
        assert argument in said
    assert 'namespace:=' not in said


def test_make_uses_an_environment_of_its_own_for_another_distribution(make):
    said = make('test', 'ROS=kilted')
    assert 'tools/environment test kilted' in said
    assert '.venv-kilted/bin/python' in said
    assert '.venv/bin/python' in make('test')


def test_a_distribution_that_has_no_wheels_is_refused_in_one_sentence(make):
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        make('test', 'ROS=rolling')
    assert 'ROS=rolling does not come as wheels, only jazzy kilted do' in refusal.value.stderr


def test_a_misspelt_argument_is_refused_with_the_valid_ones(make):
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        make('control', 'DURATON=5')
    assert 'there is no argument DURATON; there are ARGS DURATION ENV' in refusal.value.stderr
    make('control', 'ROS_DOMAIN_ID=5')


def test_variables_of_the_shell_that_happen_to_have_such_names_are_not_arguments(make, monkeypatch):
    monkeypatch.setenv('ENV', 'production')
    monkeypatch.setenv('SEED', '5')
    assert 'production' not in make('control')
    assert '--seed' not in make('train')


def test_every_target_of_the_readme_exists(make):
    targets = set(re.findall(r'(?:^|`)make ([a-z-]+)', (ROOT / 'README.md').read_text(), re.MULTILINE))
    assert 'control' in targets
    for target in targets:
        make(target)
