"""A name with a unit is a promise: the effect of an action is tested for every common way to write environments."""

import random

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.wrappers import RescaleAction, TransformAction

from velora_ros.contract.joint_signals import Signal
from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import make, spec_from_env
from velora_ros.gym.robot_file_env import ModelEnv

BODY = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <option timestep="0.005"/>
  <worldbody>
    <body name="post"><geom size="0.05" pos="0 0 -1"/>
      <body pos="0 0 0.1"><joint name="pan" axis="0 0 1" damping="1"/><geom size="0.05" pos="0.2 0 0"/>
        <body pos="0.4 0 0"><joint name="reach" type="slide" axis="1 0 0" damping="5"/><geom size="0.05"/></body></body>
    </body>
  </worldbody>
  {0}
</mujoco>
"""
SERVOS = """
<actuator>
  <position joint="pan" kp="30" kv="2" ctrlrange="-1 1"/><motor joint="reach" gear="20" ctrlrange="-1 1"/>
</actuator>
"""
TRUE, UNKNOWN = ('pan/position', 'reach/effort'), ('action_0', 'action_1')


class Direct(MujocoEnv):
    """Hands its action to the actuators; a subclass says what it does instead."""

    metadata = {'render_modes': ['human', 'rgb_array', 'depth_array', 'rgbd_tuple']}  # noqa: RUF012

    def __init__(self, path, **options):
        super().__init__(str(path), 4, spaces.Box(-np.inf, np.inf, (4,)), **options)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.past, self.calls = [np.zeros(2)], 0

    def control(self, action):
        return action

    def simulate(self, action):
        self.do_simulation(self.control(np.array(action, dtype=np.float64)), self.frame_skip)

    def step(self, action):
        self.calls += 1
        self.simulate(action)
        self.past.append(np.array(action))
        return self._get_obs(), 0.0, False, False, {}

    def reset_model(self):
        return self._get_obs()

    def _get_obs(self):
        return np.concatenate([self.data.qpos, self.data.qvel])


class Loop(Direct):
    """A frame-skip loop of its own."""

    def simulate(self, action):
        for share in np.linspace(0, 1, self.frame_skip):
            self.data.ctrl[:] = self.inner(np.array(action, dtype=np.float64), share)
            mujoco.mj_step(self.model, self.data)

    def inner(self, action, share):
        return action


class Ramped(Loop):
    def inner(self, action, share):
        return (1 - share) * self.past[-1] + share * action  # ends at the action


class Pd(Loop):
    def inner(self, action, share):
        return 5 * (action - self.data.qpos) - self.data.qvel


class Zeroed(Direct):
    def simulate(self, action):
        super().simulate(action)
        self.data.ctrl[:] = 0  # after the period


class Integrated(Direct):
    def control(self, action):
        return self.data.ctrl + action  # a change; the first one equals the action


class Counted(Direct):
    def control(self, action):
        return action if self.calls < 5 else 0.5 * action  # a curriculum


class GlobalNoise(Direct):
    def control(self, action):
        return action + 1e-3 * np.random.standard_normal(2) * random.random()  # noqa: NPY002


KEPT = {
    'as it is': Direct,
    'its own loop': Loop,
    'set to zero afterwards': Zeroed,
    'clipped where no action is': lambda action, env: np.clip(action, -1, 1),
    'a list': lambda action, env: action.tolist(),
}
CHANGED = {
    'scaled': lambda action, env: 0.25 * action,
    'offset': lambda action, env: action + np.array([0.3, -0.2]),
    'default pose and scale': lambda action, env: np.array([-0.8, 0.1]) + 0.25 * action,
    'clipped': lambda action, env: np.clip(action, -0.9, 0.9),
    'squashed': lambda action, env: np.tanh(action),
    'filtered': lambda action, env: 0.8 * env.past[-1] + 0.2 * action,
    'delayed': lambda action, env: env.past[-1],
    'reordered': lambda action, env: action[::-1],
    'negated': lambda action, env: -action,
    'a change of the joint': lambda action, env: env.data.qpos + action,
    'against gravity': lambda action, env: action + 0.01 * env.data.qfrc_bias,
    'only while upright': lambda action, env: action * (np.abs(env.data.qpos[0]) < 0.05),
    'every other step': lambda action, env: action if env.calls % 2 else env.past[-1],
    'integrated': Integrated,
    'ramped within the period': Ramped,
    'a controller of its own': Pd,
    'a curriculum': Counted,
    'noise of the global generator': GlobalNoise,
}


@pytest.fixture
def model(tmp_path):
    def write(actuators=SERVOS):
        path = tmp_path / 'robot.xml'
        path.write_text(BODY.format(actuators))
        return path

    return write


def built(kind, path):
    if isinstance(kind, type):
        return kind(path)
    made = type('Made', (Direct,), {'control': lambda self, action: kind(action, self)})
    return made(path)


@pytest.mark.parametrize('kind', KEPT.values(), ids=KEPT)
def test_an_action_that_the_actuators_get_has_their_names(kind, model):
    spec = spec_from_env(built(kind, model()))
    assert (spec.action_names, spec.action_units, spec.scale) == (TRUE, ('rad', 'N'), (1.0, 20.0))


@pytest.mark.parametrize('kind', CHANGED.values(), ids=CHANGED)
def test_an_action_that_is_something_else_has_no_name_and_no_unit(kind, model):
    spec = spec_from_env(built(kind, model()))
    assert (spec.action_names, spec.action_units, spec.scale) == (UNKNOWN, ('', ''), (1.0, 1.0))


def test_each_action_is_judged_by_itself(model):
    spec = spec_from_env(built(lambda action, env: action * [1, 0.5], model()))
    assert (spec.action_names, spec.action_units, spec.scale) == (('pan/position', 'action_1'), ('rad', ''), (1, 1))


def test_an_action_beyond_what_an_actuator_takes_is_cut_off_by_it_and_has_no_name(model):
    env = Direct(model())
    env.action_space = spaces.Box(np.float32([-1.0, -1.5]), np.float32([1.0, 1.5]))
    assert spec_from_env(env).action_names == ('pan/position', 'action_1')


class Doubling(gym.Wrapper):
    """A wrapper of the most general kind."""

    def step(self, action):
        return self.env.step(2 * np.asarray(action))


class Overwriting(gym.Wrapper):
    def step(self, action):
        self.unwrapped.past.append(action)
        self.unwrapped.data.ctrl[:] = 0.1
        mujoco.mj_step(self.unwrapped.model, self.unwrapped.data, 4)
        return self.unwrapped._get_obs(), 0.0, False, False, {}


class Watching(gym.Wrapper):
    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        return observation, reward - 0.01 * float(np.square(action).sum()), *rest


@pytest.mark.parametrize(
    ('wrap', 'names'),
    [
        (Doubling, UNKNOWN),
        (Overwriting, UNKNOWN),
        (Watching, TRUE),
        (lambda env: Watching(gym.wrappers.TimeLimit(Doubling(env), 3)), UNKNOWN),
        (lambda env: RescaleAction(env, np.float32(-0.5), np.float32(0.5)), UNKNOWN),
        (lambda env: TransformAction(env, lambda action: action + 0, env.action_space), TRUE),
        (lambda env: TransformAction(env, lambda action: action[::-1], env.action_space), UNKNOWN),
        (lambda env: gym.wrappers.RecordEpisodeStatistics(gym.wrappers.TimeLimit(env, 3)), TRUE),
    ],
)
def test_wrappers_count_too(wrap, names, model):
    assert spec_from_env(wrap(Direct(model()))).action_names == names


class Declared(Direct):
    """Says what its actions are, and turns them into controls by itself."""

    def action_signals(self):
        return [Signal('pan/position', 'rad', 0.25, -0.8), Signal('reach/effort', 'N')]

    def control(self, action):
        return np.array([-0.8, 0.0]) + np.array([0.25, 0.05]) * action


def test_an_environment_that_says_what_its_actions_are_is_believed_unless_a_wrapper_changes_them(model):
    spec = spec_from_env(Watching(Declared(model())))
    assert (spec.action_names, spec.scale, spec.offset) == (TRUE, (0.25, 1.0), (-0.8, 0.0))
    assert spec.si_low.tolist() == [-1.05, -1.0]
    assert spec_from_env(Doubling(Declared(model()))).action_names == UNKNOWN


class Scaled100(Declared):
    def action_signals(self):
        return [Signal('pan/effort', '100 N*m'), Signal('reach/effort', 'N')]


class One(Declared):
    def action_signals(self):
        return [Signal('pan/effort', 'N*m')]


def test_a_factor_in_a_declared_unit_becomes_the_scale_and_too_few_signals_are_refused(model):
    spec = spec_from_env(Scaled100(model()))
    assert (spec.action_units, spec.scale) == (('N*m', 'N'), (100.0, 1.0))
    with pytest.raises(
        UnsupportedEnvironmentError, match=r'One.action_signals\(\) names 1 actions, but its action space has 2'
    ):
        spec_from_env(One(model()))


ROPE = """
<tendon><fixed name="rope"><joint joint="pan" coef="1"/><joint joint="reach" coef="1"/></fixed></tendon>
<actuator>
  <position name="grip" tendon="rope" kp="30" ctrlrange="-1 1"/><intvelocity joint="reach" kp="5" actrange="-1 1"
   ctrlrange="-1 1"/>
</actuator>
"""


def test_a_servo_on_a_tendon_has_no_joint_s_name_and_is_to_be_held(model):
    spec = spec_from_env(Direct(model(ROPE)))
    assert (spec.action_names, spec.action_holds) == (UNKNOWN, (True, False)), 'the other integrates: 0 stops it'
    scaled = spec_from_env(built(lambda action, env: 0.5 * action, model(ROPE)))
    assert (scaled.action_names, scaled.action_holds) == (UNKNOWN, ())


def test_a_subclass_of_our_model_environment_is_tried_as_any_other(model):
    class Scaled(ModelEnv):
        def step(self, action):
            return super().step(0.5 * np.asarray(action))

    class Inner(ModelEnv):
        def _step_mujoco_simulation(self, ctrl, n_frames):
            super()._step_mujoco_simulation(ctrl + 0.1, n_frames)

    assert spec_from_env(ModelEnv(str(model()))).action_names == TRUE
    assert spec_from_env(Inner(str(model()))).action_names == UNKNOWN
    assert spec_from_env(Scaled(str(model()))).action_names == UNKNOWN


# --- the environment stays as it is


def remembered(env):
    base, data = env.unwrapped, env.unwrapped.data
    arrays = [data.qpos, data.qvel, data.ctrl, data.qacc_warmstart, data.xpos, *base.past]
    generators = [env.np_random.bit_generator.state, env.action_space.np_random.bit_generator.state]
    world = [np.random.get_state()[1].tolist(), random.getstate()]  # noqa: NPY002
    return (
        [array.copy().tolist() for array in arrays],
        [data.time, base.calls, len(base.past), id(data)],
        generators,
        world,
    )


@pytest.mark.parametrize('kind', [Direct, Integrated, GlobalNoise, Ramped])
def test_trying_leaves_state_counters_and_all_generators_alone(kind, model):
    env = gym.wrappers.TimeLimit(Doubling(kind(model())), 50)
    env.reset(seed=4)
    env.action_space.seed(1)
    for _ in range(3):
        env.step(env.action_space.sample())
    before = remembered(env)
    spec_from_env(env)
    assert remembered(env) == before
    twin = gym.wrappers.TimeLimit(Doubling(kind(model())), 50)
    twin.reset(seed=4)
    assert env.unwrapped.past is not twin.unwrapped.past
    assert mujoco.get_mjcb_control() is None


def test_torch_s_generator_is_left_alone_too(model):
    class Noisy(Direct):
        def control(self, action):
            return action + torch.rand(2).numpy()

    before = torch.get_rng_state()
    assert spec_from_env(Noisy(model())).action_names == UNKNOWN
    assert torch.equal(torch.get_rng_state(), before)


def test_a_control_callback_of_somebody_else_stays_and_its_control_is_what_counts(model):
    env = Direct(model())

    def halve(model, data):
        data.ctrl[0] *= 0.5

    mujoco.set_mjcb_control(halve)
    try:
        assert spec_from_env(env).action_names == ('action_0', 'reach/effort')
        assert mujoco.get_mjcb_control() is halve
    finally:
        mujoco.set_mjcb_control(None)


def test_what_was_changed_after_construction_counts(model):
    env = Direct(model())
    env.control = lambda action: 0.5 * action
    assert spec_from_env(env).action_names == UNKNOWN


def test_a_function_that_holds_the_environment_is_tried_with_the_copy(model):
    env = Direct(model())
    env.simulate = lambda action: Direct.simulate(env, 0.5 * action)
    env.reset(seed=0)
    before = remembered(env)
    assert spec_from_env(env).action_names == UNKNOWN
    env.simulate = lambda action: Direct.simulate(env, action)
    assert spec_from_env(env).action_names == TRUE
    assert remembered(env) == before


class Failing(Direct):
    def control(self, action):
        raise RuntimeError('no licence')


class Locked(Direct):
    def __init__(self, path):
        super().__init__(path)
        self.feed = (line for line in ())  # what cannot be copied


class Windowed(Direct):
    def __init__(self, path):
        super().__init__(path)
        self.controls = self.data.ctrl  # MuJoCo's own memory

    def simulate(self, action):
        self.controls[:] = action
        mujoco.mj_step(self.model, self.data, 4)


class Ranged(Direct):
    """Keeps a view of the model, as many do; it changes nothing that the copy would miss."""

    def __init__(self, path):
        super().__init__(path)
        self.ranges = self.model.actuator_ctrlrange

    def control(self, action):
        return np.clip(action, *self.ranges.T)


def test_a_view_of_the_model_is_a_constant(model):
    assert spec_from_env(Ranged(model())).action_names == TRUE


class Leaking(Direct):
    copies = []  # noqa: RUF012 - what goes past every copy

    def __init__(self, path):
        super().__init__(path)
        self.copies.append(self)

    def simulate(self, action):
        Direct.simulate(self.copies[-1], action)


@pytest.mark.parametrize(
    ('kind', 'why'),
    [
        (Failing, 'RuntimeError: no licence'),
        (Locked, "cannot pickle 'generator' object"),
        (Windowed, "views of the simulation's state"),
        (Leaking, 'changed the environment itself'),
    ],
)
def test_what_cannot_be_tried_is_said_once_and_has_no_name(kind, why, model):
    env = kind(model())
    env.reset(seed=0)
    before = env.data.qpos.copy(), env.data.time
    with pytest.warns(UserWarning, match=rf'the actions of {kind.__name__} could not be tested .*{why}') as told:
        spec = spec_from_env(env)
    assert spec.action_names == UNKNOWN
    assert len(told) == 1 and '\n' not in str(told[0].message)
    assert (env.data.qpos == before[0]).all() and env.data.time == before[1]


# --- actuators


@pytest.mark.parametrize(
    ('actuator', 'meaning'),
    [
        ('<motor joint="pan" gear="-3" ctrlrange="-1 1"/>', ('pan/effort', 'N*m', -3.0)),
        ('<motor joint="reach" ctrlrange="-1 1"/>', ('reach/effort', 'N', 1.0)),
        ('<motor jointinparent="pan" gear="2" ctrlrange="-1 1"/>', ('pan/effort', 'N*m', 2.0)),
        ('<general joint="pan" gainprm="4" gear="2" ctrlrange="-1 1"/>', ('pan/effort', 'N*m', 8.0)),
        ('<position joint="pan" kp="30" kv="2" ctrlrange="-1 1"/>', ('pan/position', 'rad', 1.0)),
        ('<position joint="pan" kp="30" timeconst="0.1" ctrlrange="-1 1"/>', ('pan/position', 'rad', 1.0)),
        ('<velocity joint="reach" kv="5" ctrlrange="-1 1"/>', ('reach/velocity', 'm/s', 1.0)),
        ('<motor joint="pan" gear="0" ctrlrange="-1 1"/>', None),
        ('<position joint="pan" kp="30" gear="2" ctrlrange="-1 1"/>', None),
        ('<general joint="pan" biastype="affine" gainprm="30" biasprm="0 -20" ctrlrange="-1 1"/>', None),
        ('<general joint="pan" biastype="affine" gainprm="30" biasprm="2 -30" ctrlrange="-1 1"/>', None),
        ('<general joint="pan" biastype="affine" gainprm="-30" biasprm="0 30" ctrlrange="-1 1"/>', None),
        ('<general joint="pan" gaintype="affine" gainprm="1 1" ctrlrange="-1 1"/>', None),
        ('<damper joint="pan" kv="3" ctrlrange="0 1"/>', None),
        ('<intvelocity joint="pan" kp="30" actrange="-1 1" ctrlrange="-1 1"/>', None),
        ('<motor site="tip" ctrlrange="-1 1"/>', None),
        ('<motor tendon="rope" ctrlrange="-1 1"/>', None),
        ('<position tendon="rope" kp="30" ctrlrange="-1 1"/>', None),
        ('<muscle joint="pan" ctrlrange="0 1"/>', None),
    ],
)
def test_what_an_actuator_drives(actuator, meaning, tmp_path):
    text = BODY.format(
        f'<tendon><fixed name="rope"><joint joint="pan" coef="1"/></fixed></tendon><actuator>{actuator}</actuator>'
    ).replace('<geom size="0.05"/>', '<geom size="0.05"/><site name="tip"/>')
    path = tmp_path / 'robot.xml'
    path.write_text(text)

    class Plain(Direct):
        def __init__(self, path):
            super().__init__(path)
            self.action_space = spaces.Box(*self.model.actuator_ctrlrange.T.astype(np.float32), dtype=np.float32)

    spec = spec_from_env(Plain(path))
    assert (spec.action_names[0], spec.action_units[0], spec.scale[0]) == (meaning or ('action_0', '', 1.0))


def test_two_actuators_of_one_joint_are_neither_its_effort(model):
    actuators = '<motor joint="pan" ctrlrange="-1 1"/><motor joint="pan" ctrlrange="-1 1"/>'
    assert spec_from_env(Direct(model(f'<actuator>{actuators}</actuator>'))).action_names == UNKNOWN


@pytest.mark.parametrize('env_id', ['Ant-v5', 'Walker2d-v5', 'HumanoidStandup-v5'])
def test_gymnasium_s_own_environments_keep_their_names(env_id):
    spec = spec_from_env(make(env_id))
    assert all(name.endswith('/effort') for name in spec.action_names)
    assert set(spec.action_units) == {'N*m'} and min(spec.scale) > 1
