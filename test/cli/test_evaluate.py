import dataclasses
import json
import resource
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RescaleAction
from PIL import Image

from velora_ros.cli.evaluate import fitted
from velora_ros.cli.main import main
from velora_ros.errors import SpecError
from velora_ros.gym import PartialObservation, make, spec_from_env
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training import TrainConfig

PENDULUM = 'InvertedPendulum-v5'


@pytest.fixture
def pendulum_policy(make_policy_file, tmp_path):
    path = tmp_path / 'pendulum.safetensors'
    make_policy_file(4, 20, 1, spec=spec_from_env(make(PENDULUM))).save(path)
    return str(path)


def report(capsys, *arguments):
    assert main(['evaluate', *arguments, '--json']) == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_reports_returns_lengths_and_their_statistics(pendulum_policy, capsys):
    result = report(capsys, pendulum_policy, '--env', PENDULUM, '--episodes', '4', '--seed', '3')
    returns = result['returns']
    assert len(returns) == len(result['lengths']) == result['episodes'] == 4
    assert result['mean'] == pytest.approx(np.mean(returns))
    assert result['std'] == pytest.approx(np.std(returns))
    assert (result['min'], result['max'], result['seed']) == (min(returns), max(returns), 3)
    assert result['digest'] == Policy.load(pendulum_policy).digest


def test_one_seed_gives_one_result_with_either_engine(pendulum_policy, capsys):
    one, again, other_engine = (
        report(capsys, pendulum_policy, '--seed', '7', '--engine', engine) for engine in ('numba', 'numba', 'numpy')
    )
    assert one == again == other_engine
    assert report(capsys, pendulum_policy, '--seed', '8')['returns'] != one['returns']


def test_without_json_the_result_is_text(pendulum_policy, capsys):
    assert main(['evaluate', pendulum_policy, '--episodes', '2']) == 0
    shown = capsys.readouterr().out
    assert 'mean' in shown and PENDULUM in shown and '2 episodes' in shown


def test_the_steps_of_an_episode_can_be_limited(pendulum_policy, capsys):
    assert set(report(capsys, pendulum_policy, '--max-steps', '2')['lengths']) == {2}


def test_disturbances_reach_the_policy(pendulum_policy, capsys):
    options = (pendulum_policy, '--seed', '7', '--episodes', '3')
    plain, late = report(capsys, *options), report(capsys, *options, '--action-delay', '2', '2')
    noisy = report(capsys, *options, '--observation-noise', '0.3', '--period-jitter', '0.5', '--dropped-frames', '0.2')
    assert len({tuple(result['returns']) for result in (plain, late, noisy)}) == 3
    assert (plain['disturbances'], late['disturbances']) == ({}, {'action_delay': [2, 2]})


def test_the_disturbances_of_the_training_are_one_word(pendulum_policy, tmp_path, capsys):
    file = PolicyFile.load(pendulum_policy)
    config = TrainConfig(action_delay=(2, 2), observation_noise=0.1, privileged=False)
    recorded = {**file.provenance, 'hyperparameters': dataclasses.asdict(config)}
    path = tmp_path / 'disturbed.safetensors'
    dataclasses.replace(file, provenance=json.loads(json.dumps(recorded))).save(path)
    options = ('--seed', '7', '--episodes', '3')
    trained = report(capsys, str(path), *options, '--disturbances', 'training')
    assert trained['disturbances'] == {'action_delay': [2, 2], 'observation_noise': 0.1, 'privileged': False}
    flags = report(capsys, str(path), *options, '--action-delay', '2', '2', '--observation-noise', '0.1')
    assert trained['returns'] == flags['returns'] != report(capsys, str(path), *options)['returns']
    less = report(capsys, str(path), *options, '--disturbances', 'training', '--action-delay', '0', '0')
    assert less['disturbances']['action_delay'] == [0, 0]


def test_a_policy_file_without_hyperparameters_has_no_disturbances_of_training(pendulum_policy, tmp_path, capsys):
    path = tmp_path / 'plain.safetensors'
    dataclasses.replace(PolicyFile.load(pendulum_policy), provenance={}).save(path)
    assert main(['evaluate', str(path), '--disturbances', 'training']) == 2
    assert 'does not contain the hyperparameters of its training' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'status', 'named'),
    [
        (['--env', 'InvertedPendulm-v5'], 1, "Did you mean 'InvertedPendulum-v5'"),
        (['--env', 'Pendulum-v1'], 1, 'the policy reads slider/position'),
        (['--env', 'CartPole-v1'], 1, 'action space is Discrete'),
        (['--render', 'film.avi'], 2, 'must end in .mp4 or .gif'),
        (['--render', '/absent/film.mp4'], 2, "folder '/absent' does not exist"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(pendulum_policy, capsys, arguments, status, named):
    assert main(['evaluate', pendulum_policy, *arguments]) == status
    output = capsys.readouterr()
    assert named in output.err
    assert output.err.count('\n') == 1
    assert output.out == ''


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['--seconds', '3'], '--seconds is for tasks; add --task TASK'),
        (['--undisturbed'], '--undisturbed is for tasks; add --task TASK'),
        (['--task', 'rover', '--render', 'film.gif'], '--render has no effect with --task'),
        (['--task', 'rover', '--max-steps', '5'], '--max-steps has no effect with --task'),
        (['--task', 'rover', '--engine', 'numpy'], '--engine has no effect with --task'),
        (['--task', 'rover', '--env-arg', 'undisturbed=true'], '--env-arg has no effect with --task'),
        (['--task', 'rover', '--action-delay', '0', '1'], '--action-delay has no effect with --task'),
    ],
)
def test_a_flag_without_effect_is_refused(pendulum_policy, capsys, arguments, named):
    assert main(['evaluate', pendulum_policy, *arguments]) == 2
    assert named in capsys.readouterr().err


def test_a_policy_without_an_environment_needs_the_option_env(make_policy_file, tmp_path, capsys):
    make_policy_file(environment=None).save(tmp_path / 'p')
    assert main(['evaluate', str(tmp_path / 'p')]) == 2
    assert '--env ID' in capsys.readouterr().err


# --- fitting the environment to the policy


def test_observations_come_in_the_order_of_the_policy():
    spec = spec_from_env(PartialObservation(make(PENDULUM), ['hinge/velocity', 'slider/position']))
    env = fitted(make(PENDULUM), spec)
    observation, info = env.reset(seed=0)
    np.testing.assert_array_equal(observation, info['privileged_state'][[3, 0]])


def test_a_fitting_environment_is_left_as_it_is():
    env = make(PENDULUM)
    assert fitted(env, spec_from_env(env)) is env


def test_another_period_reaches_the_policy():
    env = make(PENDULUM)
    spec = dataclasses.replace(spec_from_env(env), control_period=0.02)
    env = fitted(env, spec)
    env.reset(seed=0)
    assert env.step(np.zeros(1, np.float32))[4]['dt'] == 0.04


@pytest.mark.parametrize(
    'other', [{'action_low': (-4.0,)}, {'action_high': (3.5,)}, {'action_names': ('slider/position',)}]
)
def test_other_actions_are_refused(other):
    env = make(PENDULUM)
    spec = dataclasses.replace(spec_from_env(env), **other)
    with pytest.raises(SpecError, match=r'the environment takes slider/effort in \[-3, 3\]'):
        fitted(env, spec)


def test_a_policy_whose_actions_had_joints_names_before_they_were_tried_is_still_evaluated():
    env = RescaleAction(make(PENDULUM), np.float32(-3), np.float32(2.5))
    own = spec_from_env(env)
    assert own.action_names == ('action_0',)
    assert fitted(env, dataclasses.replace(own, action_names=('slider/position',))) is env
    with pytest.raises(SpecError, match='the environment takes action_0'):
        fitted(env, dataclasses.replace(own, action_names=('action_1',), action_low=(-4.0,)))


# --- films


def test_a_gif_shows_the_first_episode_in_real_time(opengl, pendulum_policy, tmp_path, capsys):
    path = tmp_path / 'film.gif'
    result = report(capsys, pendulum_policy, '--episodes', '2', '--render', str(path))
    with Image.open(path) as film:
        assert film.n_frames == result['lengths'][0] + 1
        assert film.info['duration'] == 40


def test_an_mp4_is_written(opengl, pendulum_policy, tmp_path, capsys):
    assert main(['evaluate', pendulum_policy, '--episodes', '1', '--render', str(tmp_path / 'film.mp4')]) == 0
    assert b'ftyp' in (tmp_path / 'film.mp4').read_bytes()[:16]
    assert 'film.mp4' in capsys.readouterr().out


@pytest.mark.parametrize('kind', ['gif', 'mp4'])
def test_a_film_on_a_full_disk_is_an_error_and_an_older_one_stays(kind, opengl, pendulum_policy, tmp_path, capsys):
    path = tmp_path / f'film.{kind}'
    path.write_bytes(b'an older one')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        status = main(['evaluate', pendulum_policy, '--episodes', '1', '--engine', 'numpy', '--render', str(path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    error = capsys.readouterr().err
    assert (status, error.count('\n')) == (1, 1)
    assert f"'{path}' could not be written" in error
    assert path.read_bytes() == b'an older one'
    assert [one for one in tmp_path.iterdir() if one.name.startswith('.')] == []


def test_without_opengl_the_error_comes_before_anything_runs(pendulum_policy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MUJOCO_GL', 'nothing')
    assert main(['evaluate', pendulum_policy, '--render', str(tmp_path / 'film.gif')]) == 1
    output = capsys.readouterr()
    assert "the OpenGL backend 'nothing' does not work here" in output.err
    assert output.out == ''
    assert not (tmp_path / 'film.gif').exists()


def test_without_ffmpeg_the_error_names_both_remedies(opengl, pendulum_policy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    assert main(['evaluate', pendulum_policy, '--engine', 'numpy', '--render', str(tmp_path / 'film.mp4')]) == 1
    assert 'pip install imageio-ffmpeg. Or name a .gif file' in capsys.readouterr().err


PLAIN = """
import gymnasium, numpy as np
from gymnasium import spaces
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
class Plain(gymnasium.Env):
    metadata = {'render_modes': []}
    dt, action_space = 0.1, spaces.Box(-1, 1, (1,), np.float32)
    def __init__(self, render_mode=None):
        self.observation_space = spaces.Dict(goal=spaces.Dict(y=spaces.Box(-2, 2, (2,))), speed=spaces.Box(-2, 2, (1,)))
    def _seen(self):
        place = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return {'goal': {'y': place[:2]}, 'speed': place[2:]}
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._seen(), {}
    def step(self, action):
        self.steps += 1
        return self._seen(), -float(action[0] ** 2), False, self.steps >= 5, {}
def pendulum(**keywords):
    return gymnasium.make('InvertedPendulum-v5', **keywords)
gymnasium.register('Plain-v0', Plain)
gymnasium.register('Observed-v0', lambda **keywords: NormalizeObservation(pendulum(**keywords)))
gymnasium.register('Rewarded-v0', lambda **keywords: NormalizeReward(pendulum(**keywords)))
"""


@pytest.fixture
def plain(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'plain_envs.py').write_text(PLAIN)
    yield
    sys.modules.pop('plain_envs', None)
    for name in ('Plain', 'Observed', 'Rewarded'):
        gym.registry.pop(f'{name}-v0', None)


@pytest.mark.usefixtures('plain')
def test_dictionaries_are_trained_and_evaluated_by_their_names_and_a_film_of_nothing_is_refused(tmp_path, capsys):
    call = ['train', '--env', 'plain_envs:Plain-v0', '--steps', '40', '--start-steps', '20', '--no-pictures']
    assert main([*call, '--out', 'plain.safetensors', '--run-dir', 'run']) == 0
    policy = Policy.load('plain.safetensors')
    assert policy.spec.observation_names == ('goal/y_0', 'goal/y_1', 'speed')
    assert main(['train', '--resume', 'run', '--steps', '45', '--out', 'plain.safetensors', '--no-pictures']) == 0
    capsys.readouterr()
    assert report(capsys, 'plain.safetensors', '--episodes', '2')['lengths'] == [5, 5]
    assert main(['evaluate', 'plain.safetensors', '--render', 'film.gif']) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "the environment 'plain_envs:Plain-v0' cannot be filmed: its render_modes [] lack rgb_array" in line


@pytest.mark.filterwarnings('default::UserWarning')
@pytest.mark.usefixtures('plain')
@pytest.mark.parametrize(('name', 'words'), [('Observed', 'built-in normaliser'), ('Rewarded', 'reward_scale')])
def test_running_statistics_are_refused_before_there_is_a_run_and_an_evaluation_warns(
    pendulum_policy, tmp_path, capsys, name, words
):
    assert main(['train', '--env', f'plain_envs:{name}-v0', '--steps', '40', '--run-dir', 'run']) == 1
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / 'run').exists()
    made = Policy.load(pendulum_policy)
    spec = spec_from_env(make(f'plain_envs:{name}-v0'))
    dataclasses.replace(made.file, spec=spec).save('old.safetensors')
    assert main(['evaluate', 'old.safetensors', '--env', f'plain_envs:{name}-v0', '--episodes', '1']) == 0
    warned = 'keeps running statistics of the observations, which start from zero here' in capsys.readouterr().err
    assert warned == (name == 'Observed')
