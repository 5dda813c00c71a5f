from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import check_reward, make, spec_from_env
from velora_ros.gym.robot_file_env import ModelEnv
from velora_ros.gym.simulated_robot import SimulatedRobot
from velora_ros.utils.shipped_files import share_path

ARM = share_path('config', 'arm.xml')
BODY = '<worldbody><body name="b"><joint name="j" axis="0 0 1"/><geom size="0.1"/></body></worldbody>'
MOTOR = '<actuator><motor name="m" joint="j" ctrlrange="-1 1"/></actuator>'


@pytest.fixture
def file(tmp_path):
    """Writes an MJCF file with this content and returns its path."""

    def written(*parts: str) -> str:
        path = tmp_path / 'robot.xml'
        path.write_text(f'<mujoco>{"".join(parts)}</mujoco>')
        return str(path)

    return written


def test_the_arm_is_described_by_its_joints_sensors_and_actuators():
    spec = spec_from_env(make(str(ARM)))
    hand = [f'{sensor}.{axis}' for sensor in ('hand_position', 'hand_gyro') for axis in 'xyz']
    joints = ('shoulder/position', 'elbow/position', 'shoulder/velocity', 'elbow/velocity')
    assert spec.observation_names == (*joints, *hand)
    assert spec.observation_units == ('rad', 'rad', 'rad/s', 'rad/s', 'm', 'm', 'm', 'rad/s', 'rad/s', 'rad/s')
    assert (spec.action_names, spec.action_units) == (('shoulder/position', 'elbow/position'), ('rad', 'rad'))
    assert (spec.action_low, spec.action_high) == ((-1.5, -1.5), (1.5, 1.5))
    assert spec.control_period == pytest.approx(0.02)


def test_the_arm_begins_at_its_keyframe_and_goes_where_it_is_told():
    robot = SimulatedRobot(make(str(ARM)))
    np.testing.assert_array_equal(robot.positions, [0.4, 0.8])
    robot.set_action(robot.check_command([0.2, -0.5]))
    for _ in range(2 * 50 * robot.steps_per_period):
        robot.advance()
    np.testing.assert_allclose(robot.positions, [0.2, -0.5], atol=0.02)
    x, y, z = robot.observation[4:7]
    assert (x, z) == (pytest.approx(0.3 * np.sin(0.2) + 0.25 * np.sin(-0.3), abs=0.02), pytest.approx(0.83, abs=0.02))
    assert y == 0.0
    assert robot.episode_return == 0.0


@pytest.mark.parametrize(('period', 'steps'), [(0.02, 10), (0.005, 3), (0.001, 1)])
def test_the_control_period_is_a_whole_number_of_physics_steps_none_larger_than_the_file_s(period, steps):
    env = make(str(ARM), control_period=period)
    assert spec_from_env(env).control_period == pytest.approx(period)
    assert env.unwrapped.frame_skip == steps
    assert env.unwrapped.model.opt.timestep <= 0.002 + 1e-12


def test_an_episode_ends_only_when_the_simulation_is_unstable(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where MuJoCo writes its log
    env = make(file('<option timestep="0.01"/>', BODY, MOTOR))
    env.reset(seed=0)
    assert not any(env.step(env.action_space.high)[2] for _ in range(100))
    env.unwrapped.data.qvel[:] = 1e12
    assert env.step(env.action_space.high)[2]
    env.reset()
    assert not env.step(env.action_space.high)[2]


def test_a_reset_may_spread_the_joints_and_a_seed_decides_how():
    env = make(str(ARM), reset_noise=0.1)
    first, second = env.reset(seed=1)[0], env.reset()[0]
    assert np.abs(first[:2] - [0.4, 0.8]).max() < 0.1
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(env.reset(seed=1)[0], first)


def test_a_reward_may_be_given_and_a_second_environment_made():
    env = make(str(ARM), reward=lambda model, data, action: data.joint('elbow').qpos[0] + action[0])
    env.reset(seed=0)
    observation, reward, *_ = env.step(np.float32([0.5, 0.5]))
    assert reward == pytest.approx(observation[1] + 0.5)
    check_reward(env)
    second = gym.make(env.spec)
    second.reset(seed=0)
    assert second.step(np.float32([0.5, 0.5]))[1] == reward


def test_without_a_reward_there_is_nothing_to_learn():
    with pytest.raises(UnsupportedEnvironmentError, match=r'a robot file has no reward.*reward=FUNCTION'):
        check_reward(make(str(ARM)))

    class Arm(ModelEnv):
        def step(self, action):
            return super().step(action)

    check_reward(Arm(str(ARM)))
    check_reward(make('InvertedPendulum-v5'))


def test_sensors_have_their_names_and_those_that_repeat_a_joint_are_left_out(file):
    sensors = (
        '<jointpos name="encoder" joint="j"/><jointvel name="tacho" joint="j"/><actuatorfrc name="force" actuator="m"/>'
        '<framequat name="pose" objtype="body" objname="b"/>'
    )
    spec = spec_from_env(make(file(BODY, MOTOR, f'<sensor>{sensors}</sensor>')))
    assert spec.observation_names == ('j/position', 'j/velocity', 'force', 'pose.w', 'pose.x', 'pose.y', 'pose.z')
    assert spec.action_names == ('j/effort',)


def test_an_actuator_that_drives_no_joint_has_its_own_name(file):
    site = '<worldbody><body name="b"><freejoint/><geom size="0.1"/><site name="s"/></body></worldbody>'
    thrust = '<actuator><general name="thrust" site="s" gear="0 0 1 0 0 0" ctrlrange="0 20"/></actuator>'
    spec = spec_from_env(make(file(site, thrust, '<sensor><gyro name="gyro" site="s"/></sensor>')))
    assert spec.action_names == ('thrust',)
    assert spec.observation_names == ('gyro.x', 'gyro.y', 'gyro.z')


@pytest.mark.parametrize(
    ('parts', 'words'),
    [
        (['<foo/>'], 'cannot be read: XML Error: Schema violation.*foo'),
        (['<worldbody>'], 'cannot be read: XML parse error'),
        ([BODY], 'has no actuators'),
        ([BODY, '<actuator><motor name="m" joint="j"/></actuator>'], "has an actuator 'm' without limits"),
        ([BODY, '<actuator><motor joint="j"/></actuator>'], "has an actuator 'number 0' without limits"),
        ([BODY.replace(' name="j"', ''), '<actuator><motor body="b" ctrlrange="0 1"/></actuator>'], 'cannot be read'),
        (
            ['<worldbody><body name="b"><joint/><geom size="0.1"/><site name="s"/></body></worldbody>',
             '<actuator><motor name="m" site="s" ctrlrange="0 1"/></actuator>'],
            "has a joint without a name, in the body 'b'",
        ),
        (
            ['<worldbody><body name="b"><freejoint/><geom size="0.1"/><site name="s"/></body></worldbody>',
             '<actuator><motor site="s" ctrlrange="0 1"/></actuator>', '<sensor><gyro name="g" site="s"/></sensor>'],
            'has an actuator without a name that drives no joint, number 0',
        ),
        (
            ['<worldbody><body name="b"><freejoint/><geom size="0.1"/><site name="s"/></body></worldbody>',
             '<actuator><motor name="m" site="s" ctrlrange="0 1"/></actuator>'],
            'nothing to observe',
        ),
        ([BODY, MOTOR, '<sensor><jointactuatorfrc joint="j"/></sensor>'], 'has a sensor without a name, number 0'),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_robot_is_refused_in_one_sentence(file, parts, words):
    with pytest.raises(UnsupportedEnvironmentError, match=words) as raised:
        make(file(*parts))
    assert 'robot.xml' in str(raised.value)
    assert '\n' not in str(raised.value)


def test_a_missing_file_and_a_senseless_period_are_refused():
    with pytest.raises(UnsupportedEnvironmentError, match=r"there is no file 'nowhere/robot\.xml'"):
        make('nowhere/robot.xml')
    with pytest.raises(UnsupportedEnvironmentError, match='control_period is 0'):
        make(str(ARM), control_period=0)
    with pytest.raises(UnsupportedEnvironmentError, match='speed'):
        make(str(ARM), speed=3)


def test_it_can_be_named_relative_to_here(monkeypatch):
    monkeypatch.chdir(Path(ARM).parent)
    assert make('arm.xml').reset(seed=0)[0].shape == (10,)


def test_the_environment_in_the_docs_can_be_learnt_on(monkeypatch):
    page = (Path(__file__).parents[2] / 'docs' / 'simulator.md').read_text(encoding='utf-8')
    [code] = [part.split('```')[0] for part in page.split('```python') if 'class Reach' in part]
    monkeypatch.chdir(Path(ARM).parents[1])
    exec(compile(code, 'my_arm.py', 'exec'), {'__name__': 'my_arm'})
    env = make('Reach-v0')
    check_reward(env)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[1] < 0
