import random

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.wrappers import NumpyToTorch, RecordEpisodeStatistics, RescaleAction, TransformObservation

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import (
    ActionDelay,
    ObservationNoise,
    PartialObservation,
    TimingJitter,
    control_period_of,
    make,
    spec_from_env,
)


class Toy(gym.Env):
    """An environment without MuJoCo and, by default, without a period."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space = spaces.Box(-2, 2, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2), {}

    def step(self, action):
        return np.zeros(2), 0.0, False, False, {}


ROBOT = """
<mujoco>
  <worldbody>
    <body><joint name="arm/lift" type="slide" axis="0 0 1"/><geom size="0.1"/>
      <body><joint name="turn" type="hinge" damping="1"/><geom size="0.1"/>
        <body><joint type="hinge" axis="1 0 0"/><geom size="0.1"/></body></body></body>
    <body pos="3 0 0"><freejoint name="loose"/><geom size="0.1"/></body>
  </worldbody>
  <actuator>
    <motor joint="arm/lift" ctrlrange="-1 1"/>
    <position joint="turn" kp="7" ctrlrange="-2 2"/>
    <velocity joint="turn" kv="3" ctrlrange="-3 3"/>
    <motor joint="turn" gear="2.5" ctrlrange="-1 1"/>
    <motor joint="turn" ctrlrange="-1 1"/>
    <position joint="turn" kp="7" gear="2" ctrlrange="-2 2"/>
    <motor joint="loose" ctrlrange="-1 1"/>
  </actuator>
</mujoco>
"""


class Robot(MujocoEnv):
    """Every kind of joint, actuator and observation entry that matters."""

    def __init__(self, path):
        space = spaces.Box(-np.inf, np.inf, (11,), np.float64)
        super().__init__(str(path), 2, observation_space=space)

    def _get_obs(self):
        qpos, qvel = self.data.qpos, self.data.qvel
        signals = [qvel[1], qpos[0], np.sin(qpos[1]), np.clip(qvel[0], -10, 10), qpos[1] + 1, qpos[2], qpos[3]]
        return np.array([*signals, self.data.qfrc_actuator[0], qpos[0], 0.0, self.data.time])


@pytest.fixture
def robot(tmp_path):
    (tmp_path / 'robot.xml').write_text(ROBOT)
    return Robot(tmp_path / 'robot.xml')


def test_joint_signals_are_found_whatever_their_order_and_nothing_else_is(robot):
    spec = spec_from_env(robot)
    named = dict(zip(spec.observation_names, spec.observation_units, strict=True))
    assert named == {
        'turn/velocity': 'rad/s',
        'arm/lift/position': 'm',
        'obs_2': '',  # a sine
        'obs_3': '',  # clipped
        'obs_4': '',  # shifted
        'joint_2/position': 'rad',  # a joint without a name
        'obs_6': '',  # of a free body
        'arm/lift/effort': 'N',
        'obs_8': '',  # a second time the same
        'obs_9': '',  # constant
        'obs_10': '',  # the time
    }


def test_actions_are_named_after_joint_and_interface_of_their_actuator(robot):
    spec = spec_from_env(robot)
    assert list(zip(spec.action_names, spec.action_units, strict=True)) == [
        ('arm/lift/effort', 'N'),
        ('turn/position', 'rad'),
        ('turn/velocity', 'rad/s'),
        ('action_3', ''),  # the same joint's effort
        ('action_4', ''),  # twice: its effort is the sum
        ('action_5', ''),  # a geared position
        ('action_6', ''),  # a free body
    ]


def test_asking_for_the_names_changes_nothing(robot):
    env = make('Humanoid-v5')
    env.reset(seed=3)
    before = env.unwrapped.data.qpos.copy(), env.unwrapped.data.qvel.copy(), env.unwrapped.data.time
    data, state = env.unwrapped.data, env.unwrapped.np_random.bit_generator.state
    spec_from_env(env)
    assert env.unwrapped.data is data
    assert env.unwrapped.np_random.bit_generator.state == state
    for old, new in zip(before, (data.qpos, data.qvel, data.time), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_observation_function_that_cannot_be_tried_gives_plain_names(robot):
    data = robot.data
    robot._get_obs = lambda: 1 / 0
    with pytest.warns(UserWarning, match='of Robot .* _get_obs failed with ZeroDivisionError: division'):
        assert spec_from_env(robot).observation_names == tuple(f'obs_{i}' for i in range(11))
    assert robot.data is data


@pytest.mark.parametrize('function', [lambda action: 0, lambda: {'a': [0]}, lambda: np.zeros(3), lambda: 'text'])
def test_an_observation_function_of_another_kind_gives_plain_names_without_a_word(robot, function):
    robot._get_obs = function
    assert spec_from_env(robot).observation_names == tuple(f'obs_{i}' for i in range(11))


class Noisy(Robot):
    """Its observation function counts, remembers and draws; a helper of its own looks at the data."""

    class Helper:
        def __init__(self, env):
            self.env, self.data, self.calls = env, env.data, []

    def __init__(self, path):
        super().__init__(path)
        self.history, self.count, self.helper = [], 0, self.Helper(self)

    def reset_model(self):
        return self._get_obs()

    def _get_obs(self):
        if hasattr(self, 'history'):
            self.history.append(self.np_random.normal() + np.random.random() + random.random())  # noqa: NPY002
            self.helper.calls.append(self.helper.data.time)
            self.count += 1
            self.newest = self.count
        return super()._get_obs()


def test_trying_an_observation_function_leaves_no_trace_of_it(tmp_path):
    (tmp_path / 'robot.xml').write_text(ROBOT)
    env = Noisy(tmp_path / 'robot.xml')
    env.reset(seed=5)
    resets, before = [], dict(vars(env))
    env_reset, env.reset = env.reset, lambda **_: resets.append(1)
    kept = list(env.history), env.count, list(env.helper.calls), env.np_random.bit_generator.state
    state, numbers = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    spec = spec_from_env(env)
    assert spec.observation_names[0] == 'turn/velocity'
    assert not resets
    assert (env.history, env.count, env.helper.calls, env.np_random.bit_generator.state) == kept
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002
    env.reset = env_reset
    assert {name: id(value) for name, value in vars(env).items() if name in before} == {
        name: id(value) for name, value in before.items()
    }


@pytest.mark.parametrize(
    ('env_id', 'named', 'period'),
    [
        ('InvertedPendulum-v5', ['slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity'], 0.04),
        ('InvertedDoublePendulum-v5', ['slider/position'], 0.05),
        ('Reacher-v5', ['target_x/position', 'target_y/position', 'joint0/velocity', 'joint1/velocity'], 0.02),
    ],
)
def test_names_of_known_environments(env_id, named, period):
    spec = spec_from_env(make(env_id))
    assert [name for name in spec.observation_names if not name.startswith('obs_')] == named
    assert spec.control_period == pytest.approx(period)


def test_the_pendulums_action_is_the_sliders_effort_and_its_scale_is_the_gear():
    spec = spec_from_env(make('InvertedPendulum-v5'))
    assert spec.action_names == ('slider/effort',)
    assert (spec.action_units, spec.action_scale, spec.action_offset) == (('N',), (100.0,), ())
    assert (spec.action_low, spec.action_high) == ((-3.0,), (3.0,)), 'what env.step takes'
    assert (spec.si_low.tolist(), spec.si_high.tolist()) == ([-300.0], [300.0])
    assert spec.observation_units == ('m', 'rad', 'm/s', 'rad/s')


@pytest.mark.parametrize('env_id', ['HalfCheetah-v5', 'Swimmer-v5', 'Hopper-v5', 'Walker2d-v5', 'Ant-v5', 'Pusher-v5'])
def test_each_named_entry_is_that_joints_signal_in_a_real_step(env_id, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log of warnings where it stands
    env = make(env_id)
    env.reset(seed=1)
    env.action_space.seed(1)
    spec = spec_from_env(env)
    for _ in range(3):
        observation = env.step(env.action_space.sample())[0]
    data = env.unwrapped.data
    for name, value in zip(spec.observation_names, observation, strict=True):
        if '/' in name:
            joint, interface = name.rsplit('/', 1)
            source = data.joint(joint)
            assert value == {'position': source.qpos, 'velocity': source.qvel}[interface][0]
    assert all('/' in name for name in spec.action_names)


@pytest.mark.parametrize(
    'wrap',
    [
        RecordEpisodeStatistics,
        TimingJitter,
        lambda env: ObservationNoise(env, 0.1),
        lambda env: ActionDelay(env, 1),
        NumpyToTorch,
    ],
)
def test_wrappers_that_keep_the_meaning_keep_the_spec(wrap):
    assert spec_from_env(wrap(make('InvertedPendulum-v5'))) == spec_from_env(make('InvertedPendulum-v5'))


def test_a_partial_observation_keeps_the_names_of_what_it_keeps():
    env = ObservationNoise(PartialObservation(make('InvertedPendulum-v5'), [3, 0]), 0.1)
    assert spec_from_env(env).observation_names == ('hinge/velocity', 'slider/position')
    assert spec_from_env(env).observation_units == ('rad/s', 'm')


def test_a_foreign_wrapper_takes_the_names_away():
    env = make('InvertedPendulum-v5')
    changed = TransformObservation(env, lambda o: o * 2, env.observation_space)
    assert spec_from_env(changed).observation_names == ('obs_0', 'obs_1', 'obs_2', 'obs_3')
    assert spec_from_env(changed).action_names == ('slider/effort',)
    rescaled = spec_from_env(RescaleAction(env, -1, 1))
    assert (rescaled.action_names, rescaled.action_units) == (('action_0',), ('',))
    assert rescaled.observation_names[0] == 'slider/position'


def test_an_environment_without_mujoco_gets_plain_names():
    spec = spec_from_env(Toy(), 0.1)
    assert (spec.observation_names, spec.action_names) == (('obs_0', 'obs_1'), ('action_0',))
    assert (spec.action_low, spec.action_high, spec.control_period) == ((-2.0,), (2.0,), 0.1)


def test_the_period_is_the_environments_else_the_given_else_one_with_a_warning():
    assert control_period_of(make('InvertedPendulum-v5'), 9.0) == 0.04
    assert control_period_of(make('Pendulum-v1')) == 0.05
    assert control_period_of(Toy(), 0.2) == 0.2
    with pytest.warns(UserWarning, match='no control period .* 1 s is assumed'):
        assert control_period_of(Toy()) == 1.0


def test_the_spec_says_whether_its_period_was_assumed():
    with pytest.warns(UserWarning, match='1 s is assumed'):
        assert spec_from_env(Toy()).control_period_assumed
    assert not spec_from_env(Toy(), 0.1).control_period_assumed
    assert not spec_from_env(make('Pendulum-v1')).control_period_assumed


@pytest.mark.parametrize('period', [0, -0.1, np.nan, np.inf, 'fast'])
def test_a_senseless_period_is_refused(period):
    env = Toy()
    env.dt = period
    with pytest.raises(UnsupportedEnvironmentError, match='control period is'):
        control_period_of(env)
