import gymnasium as gym
import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.errors import SpecError, UnsupportedEnvironmentError
from velora_ros.gym.make_env import make
from velora_ros.gym.simulated_robot import SimulatedRobot

IDS = ['InvertedPendulum-v5', 'InvertedDoublePendulum-v5', 'Hopper-v5', 'Ant-v5', 'Humanoid-v5', 'Pusher-v5']


def robot_of(env_id='InvertedPendulum-v5', *, max_physics_step=0.0, **options):
    return SimulatedRobot(gym.make(env_id, **options), max_physics_step=max_physics_step)


def advance_period(robot):
    for _ in range(robot.steps_per_period - 1):
        assert robot.advance() is None
    period = robot.advance()
    assert period is not None
    return period


@pytest.mark.parametrize('env_id', IDS)
def test_one_command_a_period_equals_the_environment_bit_for_bit(env_id):
    env = gym.make(env_id)
    observation, _ = env.reset(seed=3)
    robot = robot_of(env_id)
    assert np.array_equal(robot.reset(seed=3), observation)
    env.action_space.seed(0)
    for _ in range(30):
        action = env.action_space.sample()
        observation, reward, terminated, truncated, _ = env.step(action)
        robot.set_action(action)
        period = advance_period(robot)
        assert np.array_equal(period.observation, observation)
        assert (period.reward, period.terminated, period.truncated) == (reward, terminated, truncated)
        if terminated:
            break


@pytest.mark.parametrize('env_id', IDS)
def test_joint_state_is_what_the_names_say(env_id):
    robot = robot_of(env_id)
    robot.set_action(robot.spec.high)
    advance_period(robot)
    signals = {
        f'{name}/{interface}': value
        for interface, values in (
            ('position', robot.positions),
            ('velocity', robot.velocities),
            ('effort', robot.efforts),
        )
        for name, value in zip(robot.joint_names, values, strict=True)
    }
    for name, value in zip(robot.spec.observation_names, robot.observation, strict=True):
        if '/' in name:
            assert signals[name] == value


def test_pendulum_has_the_documented_joints():
    robot = robot_of()
    assert robot.joint_names == ['slider', 'hinge']
    assert robot.spec.control_period == pytest.approx(0.04)
    robot.set_action(robot.check_command([200.0]))
    advance_period(robot)
    assert robot.efforts[0] == pytest.approx(200.0)  # newtons in, newtons out: the actuator's gear is 100


def test_held_robot_stays_where_it_is_while_time_goes_on():
    robot = robot_of()
    start = robot.observation.copy()
    for _ in range(10):
        period = advance_period(robot)
        assert period.held
        assert period.reward == 0.0
        assert np.array_equal(period.observation, start)
    assert robot.time == pytest.approx(robot.held_time) == pytest.approx(0.4)
    assert robot.episode_return == 0.0


def test_a_command_lets_the_robot_go_and_a_reset_holds_it_again():
    robot = robot_of()
    robot.set_action(robot.check_command([1.0]))
    assert not advance_period(robot).held
    assert robot.held_time == 0.0
    robot.reset()
    assert robot.holding
    assert robot.episode_return == 0.0
    assert advance_period(robot).held
    assert robot.time == pytest.approx(0.08)


def test_relaxing_does_not_let_a_held_robot_go():
    robot = robot_of()
    robot.relax()
    assert advance_period(robot).held


def test_unaided_pendulum_falls_once_released():
    robot = robot_of()
    robot.release()
    for _ in range(200):
        if advance_period(robot).terminated:
            break
    else:
        pytest.fail('the pendulum stands without help')
    assert 10 <= robot.episode_return <= 100


def test_a_command_counts_from_the_physics_step_at_which_it_came():
    early, late = robot_of(max_physics_step=0.002), robot_of(max_physics_step=0.002)
    for robot, at in ((early, 2), (late, 15)):
        robot.reset(seed=0)
        robot.release()
        for step in range(robot.steps_per_period):
            if step == at:
                robot.set_action(robot.check_command([300.0]))
            robot.advance()
    assert early.velocities[0] > 1.5 * late.velocities[0] > 0.0


def test_smaller_physics_steps_divide_the_environment_s_and_keep_its_period():
    robot = robot_of(max_physics_step=0.003)
    assert robot.steps_per_period == 14
    assert robot.physics_step * robot.steps_per_period == pytest.approx(robot.spec.control_period)
    coarse = robot_of()
    for each in (robot, coarse):
        each.reset(seed=1)
        each.set_action(each.check_command([0.5]))
    fine, rough = advance_period(robot), advance_period(coarse)
    np.testing.assert_allclose(fine.observation, rough.observation, atol=1e-3)
    assert fine.reward == rough.reward == 1.0


def test_dividing_the_step_leaves_rewards_in_the_environment_s_units():
    # HumanoidStandup divides by the model's own time step in its reward.
    fine, coarse = robot_of('HumanoidStandup-v5', max_physics_step=0.001), robot_of('HumanoidStandup-v5')
    for each in (fine, coarse):
        each.reset(seed=0)
        each.release()
    assert advance_period(fine).reward == pytest.approx(advance_period(coarse).reward, rel=0.05)


def test_a_command_beyond_the_bounds_is_clipped_as_an_actuator_does():
    beyond, at_bound = robot_of(), robot_of()
    for robot, command in ((beyond, 5000.0), (at_bound, 300.0)):
        robot.reset(seed=0)
        robot.set_action(robot.check_command([command]))
    assert np.array_equal(advance_period(beyond).observation, advance_period(at_bound).observation)


@pytest.mark.parametrize('command', [[], [1.0, 2.0], [np.nan], [np.inf], [[1.0]]])
def test_a_bad_command_is_refused_and_changes_nothing(command):
    robot = robot_of()
    with pytest.raises(SpecError, match='command'):
        robot.set_action(robot.check_command(command))
    assert robot.holding


def test_time_limit_truncates_when_it_is_there():
    robot = robot_of(max_episode_steps=3)
    robot.set_action(robot.check_command([0.0]))
    assert [advance_period(robot).truncated for _ in range(3)] == [False, False, True]


def test_seed_decides_the_initial_states():
    first, second = robot_of(), robot_of()
    assert np.array_equal(first.reset(seed=7), second.reset(seed=7))
    assert np.array_equal(first.reset(), second.reset())
    assert not np.array_equal(first.reset(seed=8), second.reset(seed=7))


@pytest.mark.parametrize('env_id', ['CartPole-v1', 'Pendulum-v1'])
def test_an_environment_without_mujoco_is_refused_by_name(env_id):
    with pytest.raises(UnsupportedEnvironmentError, match=env_id):
        robot_of(env_id)


def test_a_wrapper_that_changes_the_actions_is_refused():
    env = gym.wrappers.RescaleAction(gym.make('InvertedPendulum-v5'), np.float32(-1), np.float32(1))
    with pytest.raises(UnsupportedEnvironmentError, match='wrapper'):
        SimulatedRobot(env)


def test_an_environment_that_scales_its_actions_inside_is_refused():
    env = gym.make('InvertedPendulum-v5')
    step = type(env.unwrapped).step
    env.unwrapped.step = lambda action: step(env.unwrapped, 2 * action)
    robot = SimulatedRobot(env)
    robot.set_action(robot.check_command([1.0]))
    with pytest.raises(UnsupportedEnvironmentError, match='do_simulation'):
        advance_period(robot)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(['command', 'relax', 'reset', 'advance']), max_size=40))
def test_time_is_steps_whatever_happens(events):
    robot = robot_of()
    steps = 0
    for event in events:
        if event == 'command':
            robot.set_action(robot.check_command([0.3]))
        elif event == 'relax':
            robot.relax()
        elif event == 'reset':
            robot.reset()
        else:
            steps += 1
            robot.advance()
    assert robot.time == pytest.approx(steps * robot.physics_step)
    assert 0.0 <= robot.held_time <= robot.time


@pytest.mark.parametrize('env_id', ['Hopper-v5', 'HumanoidStandup-v5'])
def test_a_period_of_another_length_equals_the_environment_with_that_many_frames(env_id):
    robot, env = robot_of(env_id), gym.make(env_id)
    robot.reset(seed=2)
    env.reset(seed=2)
    nominal = env.unwrapped.frame_skip
    env.action_space.seed(0)
    for frames in (nominal, nominal + 2, 1, nominal - 1):
        action = env.action_space.sample()
        env.unwrapped.frame_skip = frames
        observation, reward, *_ = env.step(action)
        robot.set_action(action)
        robot.set_period(frames)
        assert robot.period_end - robot.time == pytest.approx(frames * robot.physics_step)
        for _ in range(frames - 1):
            assert robot.advance() is None
        period = robot.advance()
        assert np.array_equal(period.observation, observation)
        assert period.reward == pytest.approx(reward * frames / nominal)
    assert advance_period(robot) is not None, 'the next period is a nominal one again'


def test_its_state_can_be_copied_and_goes_on_by_itself():
    robot = robot_of()
    copy = mujoco.MjData(robot.model)
    robot.copy_state(copy)
    before = copy.qpos.copy()
    robot.set_action(robot.check_command([3.0]))
    advance_period(robot)
    assert np.array_equal(copy.qpos, before)
    assert not np.array_equal(robot.positions, before)


BASE = """
<mujoco><option gravity="0 0 -9.81"/>
<worldbody>
  <geom type="plane" size="5 5 .1"/>
  <body name="lamp" pos="2 2 1"><joint name="swing" axis="0 1 0"/><geom size=".1" pos="0 0 -.3"/></body>
  <body name="drone" pos="0 0 1" quat="0.8 0.2 -0.4 0.4">
    <freejoint/>
    <inertial pos=".02 -.01 .03" mass="1.5" diaginertia=".02 .03 .04"/>
    <geom type="box" size=".2 .1 .05"/>
    <site name="imu"/>
    <body pos=".2 0 0"><joint name="arm" axis="0 1 0"/><geom size=".03" pos=".1 0 0" mass=".3"/></body>
  </body>
</worldbody>
<actuator><motor joint="arm" ctrlrange="-1 1"/></actuator>
<sensor>
  <framepos name="p" objtype="xbody" objname="drone"/><framequat name="q" objtype="xbody" objname="drone"/>
  <velocimeter name="v" site="imu"/><gyro name="w" site="imu"/><accelerometer name="a" site="imu"/>
</sensor></mujoco>
"""


@pytest.fixture(scope='module')
def drone(tmp_path_factory):
    path = tmp_path_factory.mktemp('drone') / 'drone.xml'
    path.write_text(BASE)
    return SimulatedRobot(make(str(path)))


def sensors(robot):
    """MuJoCo's own sensors at this very state."""
    data = mujoco.MjData(robot.model)
    robot.copy_state(data)
    mujoco.mj_forward(robot.model, data)
    return {name: data.sensor(name).data.copy() for name in 'pqvwa'}


def test_a_floating_base_moves_and_turns_as_mujoco_s_own_sensors_say(drone):
    drone.reset(0)
    drone._base.data.qvel[1:7] = 1.0, -2.0, 0.5, 3.0, -1.0, 2.0  # the lamp's joint comes first
    drone.set_action(drone.check_command([0.7]))
    for _ in range(90):
        drone.advance()
        base, truth = drone.base, sensors(drone)
        for found, name in zip(base, 'pqvwa', strict=True):
            np.testing.assert_allclose(found, truth[name], atol=1e-9, err_msg=name)
    assert abs(base.velocity - drone._base.data.qvel[1:4]).max() > 0.5, 'along the body, not the world'


def test_a_base_at_rest_and_one_that_is_held_measure_gravity_upwards(drone):
    drone.reset(0)
    held = drone.base
    turned = np.zeros(3)
    mujoco.mju_rotVecQuat(turned, held.acceleration, held.orientation)
    np.testing.assert_allclose(turned, [0, 0, 9.81], atol=1e-9)
    drone.release()
    for _ in range(5):
        drone.advance()
    assert np.linalg.norm(drone.base.acceleration) < 2, 'in free fall, turned a little by its arm'


def test_a_robot_without_a_free_joint_has_no_base():
    robot = SimulatedRobot(make('InvertedPendulum-v5'))
    assert robot.base is None
    assert not robot.has_base
    assert SimulatedRobot(make('Ant-v5')).has_base


@pytest.mark.parametrize(('max_physics_step', 'steps'), [(0.0, 3), (0.003, 5), (0.003, 14), (0.003, 28)])
def test_a_period_of_another_length_leaves_frame_skip_a_whole_number_and_dt_the_period(max_physics_step, steps):
    robot = robot_of(max_physics_step=max_physics_step)
    base, seen = robot._base, []
    step = base.step

    def watched(action):
        seen.append((base.frame_skip, base.dt))
        return step(action)

    base.step = watched
    robot.set_period(steps)
    robot.set_action(robot.check_command([1.0]))
    while robot.advance() is None:
        pass
    [(frames, dt)] = seen
    assert isinstance(frames, int)
    assert dt == pytest.approx(steps * robot.physics_step)
    assert (base.frame_skip, base.dt) == (2, 0.04)


@pytest.mark.parametrize(('method', 'when'), [('reset', 'at a reset'), ('step', 'in a step')])
def test_an_environment_that_fails_later_says_so_in_its_own_words(method, when):
    robot = robot_of()

    def fails(*_, **__):
        raise KeyError('assets')

    setattr(robot._base, method, fails)
    robot.set_action(robot.check_command([1.0]))
    with pytest.raises(UnsupportedEnvironmentError, match=f"InvertedPendulumEnv failed {when} with KeyError: 'assets'"):
        robot.reset() if method == 'reset' else advance_period(robot)
