import json
import subprocess
import sys

import pytest

from velora_ros.cli.main import main
from velora_ros.cli.policy_pictures import illustrate
from velora_ros.gym import make, spec_from_env
from velora_ros.training import RunConfig, RunPaths, TrainConfig

PENDULUM = 'InvertedPendulum-v5'


@pytest.fixture
def run(make_policy_file, tmp_path):
    """The files of a training run from which pictures are made."""
    paths = RunPaths(tmp_path / 'run')
    paths.policies.mkdir(parents=True)
    RunConfig(PENDULUM, 3, TrainConfig()).save(paths.config)
    make_policy_file(4, 20, 1, spec=spec_from_env(make(PENDULUM))).save(paths.best_policy)
    return paths


def test_the_best_policy_is_drawn_and_filmed(opengl, run, capsys):
    illustrate(run.folder)
    output = capsys.readouterr()
    assert output.err == ''
    assert output.out == f'wiring: {run.wiring}\nhidden state: {run.hidden_state}\nfilm: {run.film}\n'
    assert all(path.stat().st_size > 2000 for path in (run.wiring, run.hidden_state, run.film))


def test_without_opengl_the_pictures_are_drawn_all_the_same(run, monkeypatch, capsys):
    monkeypatch.setenv('MUJOCO_GL', 'nothing')
    illustrate(run.folder)
    output = capsys.readouterr()
    assert run.wiring.exists() and run.hidden_state.exists() and not run.film.exists()
    assert output.err.startswith('velora_ros: no film: no picture can be made') and output.err.count('\n') == 1


def test_without_ffmpeg_the_film_is_a_gif(opengl, run, monkeypatch, capsys):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    illustrate(run.folder)
    assert f'film: {run.film.with_suffix(".gif")}' in capsys.readouterr().out


def test_without_a_best_policy_the_last_one_is_drawn(run, monkeypatch, capsys):
    run.best_policy.rename(run.last_policy)
    monkeypatch.setenv('MUJOCO_GL', 'nothing')  # a film takes seconds
    illustrate(run.folder)
    output = capsys.readouterr()
    assert run.wiring.exists()
    assert output.err.startswith('velora_ros: no film')


def test_without_a_policy_the_error_is_one_sentence(tmp_path, capsys):
    illustrate(tmp_path)
    output = capsys.readouterr()
    assert output.err.startswith('velora_ros: no pictures: policy file') and output.err.count('\n') == 1
    assert output.out == ''


SHORT = ['--steps', '120', '--start-steps', '16', '--boost-ratio', '1', '--eval-every', '40', '--eval-episodes', '1']


def test_training_ends_with_pictures(opengl, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['train', '--env', PENDULUM, *SHORT]) == 0
    paths = RunPaths(f'runs/{PENDULUM}-seed0')
    assert all(path.exists() for path in (paths.picture, paths.wiring, paths.hidden_state, paths.film))
    output = capsys.readouterr()
    assert 'film: ' in output.out and 'velora_ros: no ' not in output.err


def test_training_can_end_early_and_omit_the_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['train', '--env', PENDULUM, *SHORT, '--no-pictures', '--stop-at', '1', '--patience', '9']) == 0
    assert '3 evaluations in a row at or above 1, after 120 steps' in capsys.readouterr().out
    paths = RunPaths(f'runs/{PENDULUM}-seed0')
    assert paths.picture.exists() and not paths.wiring.exists()
    main(['inspect', str(paths.best_policy), '--json'])
    command = json.loads(capsys.readouterr().out)['provenance']['command']
    assert '--stop-at 1.0 --patience 9' in command


def test_evaluating_needs_no_matplotlib():
    code = (
        'import sys; sys.modules["matplotlib"] = None\n'
        'from velora_ros.cli.main import parser\n'
        'parser().parse_args(["evaluate", "p"])'
    )
    done = subprocess.run([sys.executable, '-c', code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
