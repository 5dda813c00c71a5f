import os
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
from command_output import beside_waiting
from with_parent import with_parent

import velora_ros
from velora_ros.cli.main import main
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training import RunFolder, RunPaths
from velora_ros.training.runs.paths import checkpoint_files

PENDULUM = 'InvertedPendulum-v5'
SHORT = [
    '--start-steps', '16', '--boost-ratio', '1', '--eval-every', '100', '--eval-episodes', '2',
    '--checkpoint-every', '0', '--no-pictures', '--n-neurons', '6', '--critic-sizes', '8',
]  # fmt: skip


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(['train', *map(str, arguments)])


@pytest.fixture
def begin(train):
    return lambda folder, *arguments: train('--env', PENDULUM, '--run-dir', folder, *SHORT, *arguments)


def test_a_run_with_more_steps_is_the_run_that_had_them_from_the_start(train, begin, capsys):
    assert begin('whole', '--steps', 250) == 0
    assert begin('part', '--steps', 120) == 0
    assert train('--resume', 'part', '--steps', 250, '--no-pictures') == 0
    assert beside_waiting(capsys.readouterr().err) == ''
    whole, part = (PolicyFile.load(RunPaths(name).best_policy) for name in ('whole', 'part'))
    assert whole.provenance['evaluation'] == part.provenance['evaluation']
    assert whole.provenance['command'] == part.provenance['command']
    assert '--steps 250' in part.provenance['command']
    assert '--checkpoint-every' not in part.provenance['command']


def test_every_policy_says_what_repeats_its_run(begin):
    assert begin('run', '--steps', 120) == 0
    made = PolicyFile.load(RunPaths('run').last_policy).provenance
    assert made['command'].startswith(f'velora_ros train --env {PENDULUM} --seed 0 --steps 120 --n-neurons 6')
    assert made['hyperparameters']['critic_sizes'] == [8]


@pytest.fixture
def forget_arm(tmp_path, monkeypatch):
    """An environment that a module registers on import; the function undoes this, as in a new process."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'arm_of_mine.py').write_text(
        "import gymnasium\ngymnasium.register('Arm-v0', 'toy:Reach', max_episode_steps=5)\n"
    )

    def forget():
        sys.modules.pop('arm_of_mine', None)
        gymnasium.registry.pop('Arm-v0', None)

    yield forget
    forget()


def test_an_environment_of_another_module_keeps_the_name_that_makes_it_again(train, forget_arm, capsys):
    assert train('--env', 'arm_of_mine:Arm-v0', '--run-dir', 'run', '--steps', 120, *SHORT) == 0
    policy = str(RunPaths('run').best_policy)
    assert PolicyFile.load(policy).environment == 'arm_of_mine:Arm-v0'
    forget_arm()
    assert main(['evaluate', policy, '--episodes', '1']) == 0
    forget_arm()
    assert train('--resume', 'run', '--steps', 150, '--no-pictures') == 0
    assert beside_waiting(capsys.readouterr().err) == ''


def test_a_run_of_an_older_version_without_the_module_can_be_resumed(train, forget_arm, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr('velora_ros.models.agent_state.id_of', lambda env: env.spec.id)
        assert train('--env', 'arm_of_mine:Arm-v0', '--run-dir', 'run', '--steps', 120, *SHORT) == 0
    assert PolicyFile.load(RunPaths('run').best_policy).environment == 'Arm-v0'
    assert train('--resume', 'run', '--steps', 150, '--no-pictures') == 0


def test_without_a_folder_each_run_gets_a_new_one(train):
    for _ in range(2):
        assert train('--env', PENDULUM, '--steps', 30, *SHORT) == 0
    assert sorted(path.name for path in Path('runs').iterdir()) == [f'{PENDULUM}-seed0', f'{PENDULUM}-seed0-2']


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['--resume', 'run', '--gamma', '0.5'], (2, 'was started with gamma 0.99, but now it is 0.5')),
        (
            ['--resume', 'run', '--critic-sizes', '8', '4'],
            (2, 'started with critic_sizes (8,), but now it is (8, 4)'),
        ),
        (['--resume', 'run', '--seed', '5'], (2, 'was started with seed 0, but now it is 5')),
        (['--resume', 'run', '--config', 'c.yaml'], (2, "no hyperparameter 'gama'. Did you mean")),
        (['--resume', 'run', '--run-dir', 'other'], (2, 'omit --run-dir')),
        (['--resume', 'run', '--preset', 'robust'], (2, 'omit --preset')),
        (['--resume', 'other'], (2, "there is no run in 'other'")),
        (['--env', PENDULUM, '--run-dir', 'run'], (1, 'already holds a run')),
        (['--resume', 'run', '--checkpoint-every', '-1'], (2, 'checkpoint_every is -1.0')),
    ],
)
def test_what_does_not_fit_the_run_is_one_sentence_and_changes_nothing(begin, train, capsys, arguments, expected):
    assert begin('run', '--steps', 40) == 0
    Path('c.yaml').write_text('gama: 0.9\n')
    before = {path: path.read_bytes() for path in RunPaths('run').checkpoints.iterdir()}
    config = RunPaths('run').config.read_bytes()
    capsys.readouterr()
    status, named = expected
    assert train(*arguments) == status
    said = capsys.readouterr().err
    assert named in said
    assert said.count('\n') == 1
    assert {path: path.read_bytes() for path in RunPaths('run').checkpoints.iterdir()} == before
    assert RunPaths('run').config.read_bytes() == config


def test_the_same_values_may_be_given_again(begin, train):
    assert begin('run', '--steps', 40) == 0
    Path('c.yaml').write_text('n_neurons: 6\ncritic_sizes: [8]\n')
    assert train('--resume', 'run', '--seed', 0, '--critic-sizes', 8, '--config', 'c.yaml', '--no-pictures') == 0


def test_a_value_that_is_valid_with_those_of_the_run_may_be_given_again(begin, train):
    assert begin('run', '--steps', 40, '--batch-size', 32, '--buffer-size', 64) == 0
    assert train('--resume', 'run', '--buffer-size', 64, '--no-pictures') == 0


def test_a_folder_in_use_is_refused(begin, train, capsys):
    assert begin('run', '--steps', 40) == 0
    with RunFolder.resume('run'):
        assert train('--resume', 'run') == 1
    assert 'in use by another training run' in capsys.readouterr().err


def test_a_run_that_cannot_begin_leaves_its_folder_free(begin, capsys):
    assert begin('run', '--steps', 40, '--device', 'abacus') == 2
    assert begin('run', '--steps', 40) == 0


# --- signals


def started(folder: Path, *arguments: str) -> 'subprocess.Popen[str]':
    environment = {**os.environ, 'PYTHONPATH': str(Path(velora_ros.__file__).parents[1])}
    command = [sys.executable, '-u', '-m', 'velora_ros', 'train', *arguments]
    return subprocess.Popen(
        with_parent(command), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_run_resumed_after_ctrl_c_equals_an_uninterrupted_run(tmp_path, train, begin):
    endless = ['--env', PENDULUM, '--run-dir', 'stopped', '--episodes', '1000000', '--window-size', '1', *SHORT]
    with started(tmp_path, *endless) as process:
        assert any(line.startswith('episode') for line in process.stdout)  # training is under way
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, beside_waiting(err)) == (0, '')
    assert out.splitlines()[-1] == 'stopped by SIGINT; to resume: velora_ros train --resume stopped'
    Policy.load(RunPaths('stopped').best_policy)
    steps = int(checkpoint_files(RunPaths('stopped'))[0].stem) + 60
    assert steps > 60
    assert train('--resume', 'stopped', '--steps', steps, '--no-pictures') == 0
    assert begin('whole', '--steps', steps) == 0
    last, whole = (PolicyFile.load(RunPaths(name).last_policy) for name in ('stopped', 'whole'))
    assert all((last.tensors[name] == whole.tensors[name]).all() for name in whole.tensors)
