import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_output import beside_waiting
from with_parent import with_parent

import velora_ros
from velora_ros.cli import train
from velora_ros.cli.main import main, parser
from velora_ros.gym import Disturbances
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training import presets
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.recipe import recipe
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.paths import RunPaths
from velora_ros.utils.shipped_files import share_path

PENDULUM = 'InvertedPendulum-v5'
SHORT = ['--steps', '150', '--start-steps', '16', '--boost-ratio', '1', '--eval-every', '100', '--eval-episodes', '2']
SHORT += ['--no-pictures']


@pytest.fixture
def train_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return main(['train', '--env', PENDULUM, *arguments])

    return run


def configuration(*arguments):
    return train.configuration(parser().parse_args(['train', '--env', PENDULUM, *arguments]))


# --- hyperparameters


def test_every_hyperparameter_has_a_flag():
    config, _ = configuration(
        '--gamma', '0.9', '--n-neurons', '16', '--normalise', '--critic-sizes', '32', '16', '--actor-lr', '1e-3'
    )
    assert (config.gamma, config.n_neurons, config.normalise) == (0.9, 16, True)
    assert (config.critic_sizes, config.actor_lr) == ((32, 16), 1e-3)


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    path = tmp_path / 'c.yaml'
    path.write_text('gamma: 0.9\ntau: 0.01\nnormalise: true\n')
    config, source = configuration('--config', str(path), '--tau', '0.02', '--no-normalise')
    assert (config.gamma, config.tau, config.normalise) == (0.9, 0.02, False)
    assert config.critic_lr == TrainConfig().critic_lr
    assert str(path) in source and 'tau' in source


def test_without_a_file_the_recipe_counts_and_a_preset_only_by_its_name(tmp_path, monkeypatch):
    (tmp_path / f'{PENDULUM}-mine.yaml').write_text('gamma: 0.77\n')
    monkeypatch.setattr(presets, 'share_path', lambda *parts: tmp_path)
    config, source = configuration('--preset', 'mine')
    assert config.gamma == 0.77
    assert f'{PENDULUM}-mine.yaml' in source
    config, source = configuration()
    assert dataclasses.asdict(config) == dataclasses.asdict(TrainConfig.from_dict(recipe(PENDULUM)))
    assert 'recipe.yaml' in source


def test_the_budget_is_in_steps_or_in_episodes():
    assert configuration('--episodes', '7')[0].n_episodes == 7
    assert configuration('--steps', '5000')[0].n_episodes == 5000


@pytest.mark.parametrize(
    ('flags', 'reason'),
    [
        (['--update-ratio', '2', '--samples-per-transition', '16'], 'samples_per_transition replaces it'),
        (['--noise-final', '0.1'], 'lr_decay_steps is 0'),
        (['--lr-final', '0.1'], 'lr_decay_steps is 0'),
        (['--mean-share', '0.5', '--n-critics', '1'], 'n_critics is 1'),
        (['--trace-width', '0.5', '--trace', '0'], 'trace is 0'),
        (['--score-limit', '5', '--no-normalise'], 'normalise is false'),
        (['--max-dropped', '5'], 'dropped_frames is 0'),
    ],
)
def test_a_hyperparameter_without_effect_is_refused(train_here, capsys, flags, reason):
    assert train_here(*flags) == 2
    assert f'{flags[0]} has no effect, because {reason}' in capsys.readouterr().err
    assert configuration('--noise-final', '0.1', '--lr-decay-steps', '9')[0].noise_final == 0.1


def test_a_period_that_the_environment_replaces_is_refused(train_here, capsys):
    assert train_here('--control-period', '0.02', *SHORT) == 2
    assert 'control_period is 0.02 s, but the environment has its own, 0.04 s' in capsys.readouterr().err
    assert not Path('runs').exists()


@pytest.mark.parametrize('flag', ['--stop-at', '--patience'])
def test_stopping_early_without_evaluations_is_refused(train_here, capsys, flag):
    assert train_here('--eval-every', '0', flag, '3') == 2
    assert '--stop-at and --patience judge evaluations, but eval_every is 0' in capsys.readouterr().err
    assert not Path('runs').exists()


def test_a_preset_replaces_the_recipe():
    usual, robust = configuration()[0], configuration('--preset', 'robust')[0]
    assert usual.disturbances() == Disturbances()
    assert robust.period_jitter > 0 and robust.action_delay[1] > 0


def test_an_unknown_preset_is_answered_with_the_known_ones(train_here, capsys):
    assert train_here('--preset', 'robost') == 2
    assert (
        "there is no preset 'robost' for 'InvertedPendulum-v5'; the valid presets are robust, tuned, recipe"
        in capsys.readouterr().err
    )


def test_training_and_its_evaluations_are_disturbed(train_here, capsys):
    flags = (
        '--period-jitter',
        '0.5',
        '--dropped-frames',
        '0.2',
        '--action-delay',
        '0',
        '1',
        '--observation-noise',
        '1',
    )
    assert train_here(*SHORT, *flags, '--out', 'p.safetensors') == 0
    file = PolicyFile.load('p.safetensors')
    shortest, longest = file.dt_range
    assert shortest < 0.03 and longest > 0.06
    assert '--action-delay 0 1' in file.provenance['command']
    assert file.provenance['hyperparameters']['period_jitter'] == 0.5


def test_training_says_which_backend_runs_and_why(train_here, capsys):
    assert train_here(*SHORT) == 0
    assert 'backend numba: small networks on the CPU run faster in compiled loops' in capsys.readouterr().out
    assert train_here(*SHORT, '--backend', 'torch') == 0
    assert 'backend torch: ' in capsys.readouterr().out
    assert RunConfig.load(RunPaths('runs/InvertedPendulum-v5-seed0-2').config).hyperparameters.backend == 'torch'


@pytest.mark.parametrize(
    ('content', 'flags', 'named'),
    [
        ('gama: 0.9\n', [], "no hyperparameter 'gama'. Did you mean 'gamma'"),
        ('gamma: 2\n', [], 'gamma is 2'),
        ('- 1\n', [], "must hold 'name: value' lines"),
        ('a: [\n', [], 'not valid YAML'),
        ('', ['--gamma', '2'], 'must hold|gamma is 2'),
        ('gamma: 0.9\n', ['--batch-size', '100', '--sequence-length', '8'], 'multiple of sequence_length'),
    ],
)
def test_a_wrong_hyperparameter_is_named_and_exits_2(train_here, capsys, content, flags, named):
    Path('c.yaml').write_text(content)
    assert train_here('--config', 'c.yaml', *flags) == 2
    err = capsys.readouterr().err
    assert any(part in err for part in named.split('|'))
    assert err.count('\n') == 1


def test_a_missing_configuration_exits_2(train_here, capsys):
    assert train_here('--config', 'absent.yaml') == 2
    assert "'absent.yaml' cannot be read" in capsys.readouterr().err


# --- what cannot be done is said before training


def test_an_output_that_is_a_folder_or_cannot_be_made_is_refused(train_here, capsys):
    Path('folder').mkdir()
    Path('file').write_text('')
    assert train_here('--out', 'folder') == 2
    assert "'folder', a folder" in capsys.readouterr().err
    assert train_here('--out', 'file/p.safetensors') == 1
    assert 'cannot be written' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('env_id', 'named'), [('InvertedPendulm-v5', 'Did you mean'), ('CartPole-v1', 'action space is Discrete')]
)
def test_an_environment_that_cannot_be_learnt_is_refused(tmp_path, monkeypatch, capsys, env_id, named):
    monkeypatch.chdir(tmp_path)
    assert main(['train', '--env', env_id]) == 1
    assert named in capsys.readouterr().err


def test_an_unknown_device_is_refused(train_here, capsys):
    assert train_here('--device', 'abacus', *SHORT) == 2
    assert "the device is 'abacus'" in capsys.readouterr().err


def test_without_torch_it_says_what_to_install(train_here, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'torch', None)
    assert train_here(*SHORT) == 1
    assert "pip install torch 'gymnasium[torch]'" in capsys.readouterr().err


# --- a short run


def test_a_run_writes_a_policy_that_says_how_it_was_made(train_here, capsys):
    assert train_here(*SHORT, '--seed', '5', '--out', 'deep/p.safetensors', '--n-neurons', '12') == 0
    shown = capsys.readouterr().out
    assert 'n_neurons: 12' in shown and 'over 10 episodes with new seeds' in shown
    file = PolicyFile.load('deep/p.safetensors')
    assert file.environment == PENDULUM
    assert file.n_neurons == 12
    made = file.provenance
    assert made['command'].startswith(f'velora_ros train --env {PENDULUM} --seed 5 --steps 150')
    assert '--n-neurons 12' in made['command'] and '--out' not in made['command']
    assert made['hyperparameters']['n_neurons'] == 12
    assert made['evaluation']['episodes'] == 10
    assert Path(f'runs/{PENDULUM}-seed5/episodes.csv').exists()
    assert [path.name for path in Path('deep').iterdir()] == ['p.safetensors']

    assert main(['evaluate', 'deep/p.safetensors', '--json', '--seed', str(made['evaluation']['seed'])]) == 0
    assert json.loads(capsys.readouterr().out)['mean'] == made['evaluation']['mean']


def test_one_command_gives_one_policy(train_here, capsys):
    assert train_here(*SHORT, '--seed', '5', '--out', 'a.safetensors') == 0
    assert train_here(*SHORT, '--seed', '5', '--out', 'b.safetensors') == 0
    assert train_here(*SHORT, '--seed', '6', '--out', 'c.safetensors') == 0
    digests = [Policy.load(f'{name}.safetensors').digest for name in 'abc']
    assert digests[0] == digests[1] != digests[2]


def test_without_evaluations_the_last_policy_is_written(train_here, capsys):
    assert train_here(*SHORT, '--eval-every', '0') == 0
    assert PolicyFile.load(f'runs/{PENDULUM}-seed0/policies/best.safetensors').provenance['steps'] == 150


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_early_and_keeps_what_there_is(tmp_path, number):
    environment = {**os.environ, 'PYTHONPATH': str(Path(velora_ros.__file__).parents[1])}
    endless = ['train', '--env', PENDULUM, '--steps', '1000000', '--window-size', '1']
    process = subprocess.Popen(
        with_parent([sys.executable, '-u', '-m', 'velora_ros', *endless]),
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert any(line.startswith('episode') for line in process.stdout)  # training is under way
        process.send_signal(number)
        rest, err = process.communicate(timeout=120)
    assert (process.returncode, beside_waiting(err)) == (0, '')
    assert f'stopped by {number.name}' in rest
    Policy.load(tmp_path / f'runs/{PENDULUM}-seed0/policies/best.safetensors')


def test_a_policy_is_trained_on_from_the_command_line_and_says_so(train_here, capsys, tmp_path):
    """The run's folder, its configuration and the policy's provenance all name what it began with."""
    quick = [*SHORT, '--eval-every', '40', '--eval-episodes', '1']
    assert train_here(*quick, '--steps', '80', '--run-dir', 'first') == 0
    policy = RunPaths('first').best_policy
    assert main(['train', '--from', str(policy), *quick, '--steps', '60', '--run-dir', 'second']) == 0
    config = RunConfig.load(RunPaths('second').config)
    assert config.start_from == str(policy.absolute())
    origin = PolicyFile.load(RunPaths('second').last_policy).provenance['from']
    assert (origin['kind'], origin['digest']) == ('policy', PolicyFile.load(policy).digest)
    assert f'--from {policy}' in config.command
    policy.unlink()
    assert main(['train', '--resume', 'second', '--steps', '90', '--no-pictures']) == 0
    capsys.readouterr()
    assert main(['train', '--from', 'first', '--n-neurons', '31', '--run-dir', 'third']) == 2
    assert 'n_neurons is 31, but' in capsys.readouterr().err
    double = str(share_path('policies', 'InvertedDoublePendulum-v5.safetensors'))
    assert train_here('--from', double, *quick) == 1
    assert 'has observation_names' in capsys.readouterr().err
    assert not Path('runs').exists()
    assert main(['train', '--from', 'first', '--resume', 'second']) == 2
    assert main(['train', '--from', 'nothing.safetensors']) == 1
    assert "'nothing.safetensors' does not exist" in capsys.readouterr().err
    assert main(['train', '--steps', '9']) == 2
    assert 'nothing to train; give --task NAME, --env ID, --from FILE or --resume DIR' in capsys.readouterr().err
    assert not Path('third').exists()


# --- keywords of the environment


def test_keywords_reach_the_environment_of_training_evaluation_resumption_and_fine_tuning(train_here, capsys):
    quick = [*SHORT, '--eval-every', '40', '--eval-episodes', '1']
    given = ['--env-arg', 'frame_skip=4', '--env-arg', 'reset_noise_scale=0.0']
    assert train_here(*quick, *given, '--steps', '60', '--run-dir', 'run') == 0
    config, file = RunConfig.load(RunPaths('run').config), PolicyFile.load(RunPaths('run').best_policy)
    assert config.env_args == {'frame_skip': 4, 'reset_noise_scale': 0.0}
    assert file.spec.control_period == pytest.approx(0.08)
    assert '--env-arg frame_skip=4' in config.command
    assert main(['train', '--resume', 'run', '--steps', '90', *given, '--no-pictures']) == 0
    assert main(['train', '--from', 'run', *quick, '--steps', '40', '--run-dir', 'tuned']) == 0
    assert RunConfig.load(RunPaths('tuned').config).env_args == config.env_args
    capsys.readouterr()

    def returns(*arguments):
        assert main(['evaluate', str(RunPaths('run').best_policy), '--episodes', '2', '--json', *arguments]) == 0
        return json.loads(capsys.readouterr().out)['returns']

    usual = returns()
    assert usual[0] == usual[1]  # without noise every reset is the same
    assert len(set(returns('--env-arg', 'reset_noise_scale=0.2'))) == 2
    assert main(['train', '--resume', 'run', '--env-arg', 'frame_skip=3']) == 2
    assert 'was started with env_args' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('argument', 'status', 'words'),
    [
        ('frame_skipp=4', 1, 'frame_skipp'),
        ('colour=red', 1, 'colour'),
        ('frame_skip', 2, "'frame_skip' is not name=value"),
        ('=4', 2, "'=4' is not name=value"),
        ('frame_skip=[1', 2, 'is not valid YAML'),
        ('since=2026-01-01', 2, 'is read as a date; a keyword of the environment must be text'),
        ('since=2026-02-31', 2, 'is not valid YAML'),
        ('mass=.inf', 2, 'is read as inf, which is not finite'),
        ('masses=[1.0, .nan]', 2, 'is read as nan'),
        ('names=!!set {a, b}', 2, 'is read as a set'),
        ('gains={1: 2.0}', 2, 'is read as a mapping with the key 1'),
    ],
)
def test_a_wrong_keyword_is_one_sentence(train_here, capsys, argument, status, words):
    assert train_here('--env-arg', argument, *SHORT) == status
    error = capsys.readouterr().err
    assert words in error
    assert 'Traceback' not in error
    assert not Path('runs').exists()


# --- many environments at once


def test_a_run_in_many_environments_is_resumed_from_its_folder(train_here, capsys):
    assert train_here(*SHORT, '--num-envs', '3', '--run-dir', 'run') == 0
    started = RunConfig.load(RunPaths('run').config)
    assert started.num_envs == 3
    assert '--num-envs 3' in started.command
    assert main(['train', '--resume', 'run', '--steps', '300', '--no-pictures', '--num-envs', '2']) == 2
    assert 'started with num_envs 3, but now it is 2' in capsys.readouterr().err
    assert main(['train', '--resume', 'run', '--steps', '300', '--no-pictures']) == 0
    assert 'trained 300 steps' in capsys.readouterr().out


def test_more_environments_than_the_replay_has_room_for_leave_no_folder(train_here, capsys):
    assert train_here(*SHORT, '--num-envs', '50000', '--run-dir', 'run') == 2
    assert '50000 environments need at least' in capsys.readouterr().err
    assert not Path('run').exists()


# --- tasks


def test_a_task_without_a_budget_on_the_command_line_is_trained_for_as_long_as_it_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path('toy.py').write_text('from toy_tasks import walker\n\nWALK = walker(train_steps=300)\n')
    small = ['--start-steps', '64', '--n-neurons', '8', '--critic-sizes', '16', '--eval-every', '0', '--no-pictures']
    assert main(['train', '--task', 'toy.py:WALK', '--num-envs', '8', '--run-dir', 'run', *small]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].startswith('300 steps of all simulations together')
    assert RunConfig.load(RunPaths('run').config).total_steps == 300
    assert '--steps 300' in Policy.load(RunPaths('run').best_policy).file.provenance['command']


def test_a_budget_that_is_given_replaces_that_of_a_task(tmp_path):
    given = train.configuration(parser().parse_args(['train', '--task', 'quadruped', '--episodes', '3']))[0]
    assert given.n_episodes == 3
    with_steps = train.configuration(parser().parse_args(['train', '--task', 'quadruped', '--steps', '70']))[0]
    assert with_steps.n_episodes == 70
