"""`velora_ros sweep` as a user starts it, with Ray."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from with_parent import with_parent

import velora_ros
from velora_ros.cli.main import main, parser
from velora_ros.cli.sweep import _next_steps
from velora_ros.policy import Policy
from velora_ros.sweep.folder import SweepFolder
from velora_ros.sweep.plan import Sweep
from velora_ros.sweep.results import FINISHED, TrialResult, rank

PENDULUM = 'InvertedPendulum-v5'
TINY = {
    'env': PENDULUM,
    'steps': 600,
    'seeds': [0, 1],
    'fixed': {'start_steps': 64, 'boost_ratio': 1.0, 'eval_every': 200, 'eval_episodes': 2},
    'grid': {'n_neurons': [10, 16]},
}
# They end a minute after Ray was killed, and are idle until then.
IDLE_AGENTS = {'ray::DashboardAgent', 'ray::RuntimeEnvAgent'}


@pytest.fixture
def sweep_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'tiny.yaml'
    path.write_text(yaml.safe_dump(TINY))
    return path


def start(*arguments, folder):
    """Start a sweep on two cores."""
    environment = {**os.environ, 'PYTHONPATH': str(Path(velora_ros.__file__).parents[1])}
    command = [sys.executable, '-u', '-m', 'velora_ros', 'sweep', *map(str, arguments), '--cpus', '2']
    return subprocess.Popen(
        with_parent(command),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def rows(path):
    with path.open(encoding='utf-8') as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*') if path.is_file()}


# --- a sweep, interrupted


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_resumes_with_the_trials_that_are_not_done(sweep_file, number):
    folder = sweep_file.parent / 'runs/tiny'
    with start(sweep_file, folder=sweep_file.parent) as process:
        assert any(line.startswith('[1/4]') for line in process.stdout)
        children = psutil.Process(process.pid).children(recursive=True)
        names = {child.pid: child.name() for child in children}
        process.send_signal(number)
        rest, err = process.communicate(timeout=120)
    assert err == ''
    if number == signal.SIGINT:
        assert process.returncode == 0
        assert f'stopped by SIGINT; resume with: velora_ros sweep --resume {folder}' in rest.replace(
            'runs/', f'{folder.parent}/'
        )
    _, alive = psutil.wait_procs(children, timeout=60 if number == signal.SIGINT else 0)
    working = [child for child in alive if names[child.pid] not in IDLE_AGENTS]
    assert psutil.wait_procs(working, timeout=60)[1] == []
    done = {row['trial'] for row in rows(folder / 'trials.csv')}
    assert 1 <= len(done) < 4
    before = {name: contents(folder / name) for name in done}

    with start('--resume', folder, folder=sweep_file.parent) as process:
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, '')
    assert {name: contents(folder / name) for name in done} == before, 'finished trials are left alone'
    table = rows(folder / 'trials.csv')
    names = {f'n_neurons={neurons}-seed{seed}' for neurons in (10, 16) for seed in (0, 1)}
    assert {row['trial'] for row in table} == names and len(table) == 4
    assert all((row['status'], row['steps'], row['message']) == ('finished', '600', '') for row in table)
    assert f'{4 - len(done)} remaining' in out and 'best setting: n_neurons=' in out

    for name in names:  # they are normal run folders
        Policy.load(folder / name / 'policies/best.safetensors')
        assert (folder / name / 'learning_curve.png').exists()
        steps = [row['steps'] for row in rows(folder / name / 'evaluations.csv')]
        assert steps == ['200', '400', '600']
    assert len(rows(folder / 'settings.csv')) == 2
    assert yaml.safe_load((folder / 'best.yaml').read_text())['n_neurons'] in (10, 16)
    assert not (folder / '.ray').exists()
    assert not list(folder.rglob('*.pkl'))
    assert main(['plot', str(folder), '--out', str(folder / 'curves.png')]) == 0
    assert json.loads((folder / sorted(done)[0] / 'provenance.json').read_text())


# --- what is wrong is said in one sentence, before anything starts


def test_a_dry_run_checks_and_lists(sweep_file, capsys):
    assert main(['sweep', str(sweep_file), '--dry-run']) == 0
    assert capsys.readouterr().out.splitlines() == [
        f'4 trials of {PENDULUM}: 2 settings x 2 seeds, 600 steps each',
        *(f'  n_neurons={neurons}-seed{seed}' for seed in (0, 1) for neurons in (10, 16)),
    ]
    assert not Path('runs').exists()


def test_the_best_setting_is_trained_again_in_the_environment_of_the_sweep(tmp_path):
    keywords = {'frame_skip': 4, 'xml_file': 'a b.xml'}
    plan = Sweep.parse({**TINY, 'env_args': keywords, 'control_period': 0.1, 'grid': {'n_neurons': [10]}})
    folder = SweepFolder(tmp_path, plan)
    trial = TrialResult(plan.trials()[0], FINISHED, 600, 1.0, 1.0, 1.0)
    [again] = [line for line in _next_steps(folder, rank(plan, [trial])[0]) if line.startswith('train it again: ')]
    given = parser().parse_args(shlex.split(again.removeprefix('train it again: velora_ros ')))
    assert (given.env, given.steps, given.seed, given.control_period) == (PENDULUM, 600, 2, 0.1)
    assert dict(given.env_arg) == keywords


def test_a_misspelt_hyperparameter_exits_2_and_leaves_nothing_behind(sweep_file, capsys):
    sweep_file.write_text(yaml.safe_dump({**TINY, 'grid': {'actr_lr': [0.001]}}))
    assert main(['sweep', str(sweep_file)]) == 2
    err = capsys.readouterr().err
    assert "Did you mean 'actor_lr'?" in err and err.count('\n') == 1
    assert not Path('runs').exists()


def test_without_ray_it_says_what_to_install_and_the_same_command_works_later(sweep_file, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'ray', None)
    for _ in range(2):
        assert main(['sweep', str(sweep_file)]) == 1
        assert "pip install pydantic 'ray[tune]'" in capsys.readouterr().err


def test_a_folder_with_a_sweep_is_not_overwritten(sweep_file, capsys):
    folder = Path('runs/tiny')
    folder.mkdir(parents=True)
    (folder / 'sweep.yaml').write_text('mine')
    assert main(['sweep', str(sweep_file)]) == 1
    assert 'velora_ros sweep --resume runs/tiny' in capsys.readouterr().err
    assert (folder / 'sweep.yaml').read_text() == 'mine'


@pytest.mark.parametrize(
    ('arguments', 'status', 'named'),
    [
        (['absent.yaml'], 2, "'absent.yaml' cannot be read"),
        (['--resume', 'absent'], 2, "there is no sweep in 'absent'"),
        ([], 2, 'one of the arguments FILE --resume is required'),
        (['tiny.yaml', '--cpus', '0'], 2, 'not a whole number of at least 1'),
        (['tiny.yaml', '--cpus', '1', '--address', 'auto'], 2, 'not allowed with'),
        (['tiny.yaml', '--address', 'here'], 2, 'it must be HOST:PORT'),
        (['tiny.yaml', '--address', '127.0.0.1:1'], 2, "no Ray cluster answers at '127.0.0.1:1'"),
        (['--resume', 'absent', '--out', 'x'], 2, 'omit --out'),
    ],
)
def test_wrong_arguments_are_named(sweep_file, capsys, arguments, status, named):
    assert main(['sweep', *arguments]) == status
    assert named in capsys.readouterr().err


@pytest.mark.parametrize('path', sorted((Path(velora_ros.__file__).parents[1] / 'config/sweep').glob('*.yaml')))
def test_the_examples_are_valid(path, capsys):
    assert main(['sweep', str(path), '--dry-run']) == 0
