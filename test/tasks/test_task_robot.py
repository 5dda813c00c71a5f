"""A task's robot in real time is the simulation used in training, and commands may come at any physics step."""

import numpy as np
import pytest

from velora_ros.errors import SpecError, TaskError
from velora_ros.gym.servo_gains import Gains
from velora_ros.tasks.find_task import find
from velora_ros.tasks.random_numbers import key_of
from velora_ros.tasks.task_robot import TaskRobot


def run_period(robot):
    period = None
    while period is None:
        period = robot.advance()
    return period


def si(robot, action):
    """The position targets of an action in [-1, 1]."""
    return robot.task.policy_spec.to_si(action)


def tilt(robot):
    """Lays the robot on its side in the air."""
    robot.sim.free_joint.qpos[:, 2:7] = [0.4, np.sqrt(0.5), np.sqrt(0.5), 0, 0]


@pytest.fixture
def walker():
    return TaskRobot(find('quadruped'), seed=3)


def test_with_one_command_a_period_it_equals_the_environment_of_the_training_bit_for_bit(walker):
    task = walker.task
    env = task.make_vec(1, undisturbed=True)
    env.reset()
    episodes = env.episodes
    episodes.begin(np.array([0]), key_of(key_of(3, np.array([0])), np.array([0])))
    episodes.sim.commands['twist'][:] = 0
    rng = np.random.default_rng(0)
    for _ in range(30):
        action = rng.uniform(-1, 1, 12)
        episodes.sim.commands['twist'][:] = 0
        outcome = episodes.step(action[None])
        walker.set_action(np.clip(si(walker, action), walker.spec.low, walker.spec.high))
        period = run_period(walker)
        assert (walker.sim.qpos == episodes.sim.qpos).all()
        assert (walker.sim.qvel == episodes.sim.qvel).all()
        assert period.reward == pytest.approx(outcome.reward[0], rel=1e-9)  # the action was an SI value in between


def test_it_is_held_until_the_first_command_and_its_time_goes_on(walker):
    before = walker.sim.qpos.copy()
    for _ in range(5):
        assert run_period(walker).held
    assert (walker.sim.qpos == before).all()
    assert walker.held_time == walker.time == pytest.approx(0.1)
    assert len(walker.recording) == 0
    walker.set_action(walker.task.built.start_qpos[7:])
    assert not run_period(walker).held
    assert len(walker.recording) == 1


def test_a_command_acts_from_the_next_physics_step_on(walker):
    walker.set_action(walker.task.built.start_qpos[7:])
    walker.advance()
    first = walker.sim.ctrl.copy()
    walker.set_action(walker.task.built.start_qpos[7:] + 0.1)
    assert not (walker.sim.ctrl == first).any()
    assert walker.time == pytest.approx(0.005)


def test_commands_of_the_wrong_length_or_not_finite_are_refused_and_others_clipped(walker):
    with pytest.raises(SpecError, match='the command has 3 values; the robot takes 12'):
        walker.check_command([0, 0, 0])
    with pytest.raises(SpecError, match='finite'):
        walker.check_command([np.nan] * 12)
    assert (walker.check_command([100.0] * 12) == walker.spec.high).all()


def test_it_is_judged_by_the_twist_that_it_was_told_clipped_to_the_trained_range(walker):
    walker.set_command('twist', [5.0, 0.0, 0.0])
    assert walker.sim.command('twist')[0].tolist() == [1.0, 0.0, 0.0]
    walker.set_action(walker.task.built.start_qpos[7:])
    for _ in range(50):
        run_period(walker)
    standing_still = walker.figures()
    assert standing_still['tracking'] < 0.1
    walker.set_command('twist', [0.0, 0.0, 0.0])
    for _ in range(100):
        run_period(walker)
    assert walker.figures(1.0)['tracking'] > 0.9 > walker.figures()['tracking']


def test_steps_just_after_a_change_of_the_command_or_a_push_are_not_judged(walker):
    walker.set_action(walker.task.built.start_qpos[7:])
    for _ in range(40):
        run_period(walker)
    assert walker.recording.all().metrics['settled'][-1] == 1
    walker.set_command('twist', [1.0, 0.0, 0.0])
    run_period(walker)
    assert walker.recording.all().metrics['settled'][-1] == 0
    for _ in range(30):
        run_period(walker)
    assert walker.recording.all().metrics['settled'][-1] == 1
    assert walker.push(0.3)
    run_period(walker)
    assert walker.recording.all().metrics['settled'][-1] == 0


def test_a_push_changes_the_horizontal_velocity_by_its_speed(walker):
    before = walker.sim.free_joint.qvel[0].copy()
    walker.push(0.5)
    change = walker.sim.free_joint.qvel[0] - before
    assert np.hypot(*change[:2]) == pytest.approx(0.5)
    assert (change[2:] == 0).all()
    assert not TaskRobot(find('arm')).push(0.5)


def test_a_fall_ends_the_episode_and_is_counted(walker):
    walker.set_action(walker.task.built.start_qpos[7:])
    tilt(walker)
    assert run_period(walker).terminated
    walker.reset()
    assert walker.holding
    walker.set_action(walker.task.built.start_qpos[7:])
    run_period(walker)
    assert walker.figures()['falls'] == 1


def test_randomise_applies_from_the_next_reset_on_and_can_be_switched_off_again(walker):
    model = walker.model
    masses = walker.sim.batch.expand('body_mass')
    trunk = model.body('trunk').id
    assert masses[0, trunk] == model.body_mass[trunk]
    walker.randomise = True
    assert masses[0, trunk] == model.body_mass[trunk]
    walker.reset()
    assert masses[0, trunk] != model.body_mass[trunk]
    walker.randomise = False
    walker.reset()
    assert masses[0, trunk] == model.body_mass[trunk]


def test_one_seed_gives_the_same_episodes_again():
    one, other = (TaskRobot(find('quadruped'), seed=5, randomise=True) for _ in range(2))
    one.reset()
    other.reset()
    assert (one.sim.qpos == other.sim.qpos).all()
    third = TaskRobot(find('quadruped'), seed=6, randomise=True)
    assert not (third.sim.qpos == one.sim.qpos).all()


@pytest.mark.parametrize('start', ['lying', 'on_its_side'])
def test_a_robot_that_lies_rests_on_the_floor_and_has_not_fallen(start):
    robot = TaskRobot(find('quadruped'), start=start)
    height, gravity = robot.sim.free_joint.qpos[0, 2], robot.sim.base.gravity[0]
    assert height < 0.2
    assert (gravity[2] < -0.9) == (start == 'lying')
    robot.release()
    for _ in range(50):
        assert not run_period(robot).terminated
    assert len(robot.recording) == 0
    assert abs(robot.sim.free_joint.qpos[0, 2] - height) < 0.03


def test_a_robot_that_has_stood_up_is_judged():
    robot = TaskRobot(find('quadruped'), start='lying')
    begin, end = robot.sensors.read(held=True)[:12], robot.task.built.start_qpos[7:]
    for share in np.linspace(0, 1, 100):
        robot.set_action(begin + share * (end - begin))
        assert not run_period(robot).terminated
    for _ in range(80):
        run_period(robot)
    assert len(robot.recording) > 0
    assert robot.figures()['tracking'] > 0.9
    tilt(robot)
    assert run_period(robot).terminated


def test_a_robot_without_a_floating_base_cannot_lie():
    with pytest.raises(TaskError, match="cannot start 'lying'; set start to 'standing'"):
        TaskRobot(find('arm'), start='lying')


def test_an_arm_takes_position_targets_and_is_judged_once_it_has_a_goal():
    robot = TaskRobot(find('arm'))
    assert robot.spec.action_names[0] == 'shoulder_pan_joint/position'
    pose = robot.sensors.read(held=True)[:6]
    robot.set_action(pose)
    run_period(robot)
    assert robot.figures() == {}
    robot.set_command('goal', robot.sample_command('goal'))
    run_period(robot)
    assert len(robot.recording) == 1


def test_a_rover_takes_speeds_and_its_episode_is_over_at_its_goal():
    robot = TaskRobot(find('rover'))
    robot.set_action([0.31, 0.0])
    for _ in range(10):
        run_period(robot)
    assert robot.sim.base.velocity[0, 0] == pytest.approx(0.31, abs=0.03)
    assert not robot.is_over
    robot.set_command('goal', robot.sim.free_joint.qpos[0, :3])
    run_period(robot)
    assert robot.is_over
    assert robot.figures()['reached'] == 1.0


def test_a_withdrawn_command_keeps_positions_and_stops_wheels():
    rover, walker = TaskRobot(find('rover')), TaskRobot(find('quadruped'))
    rover.set_action([0.31, 0.0])
    rover.relax()
    assert (rover.sim.ctrl == 0).all()
    walker.set_action(walker.task.built.start_qpos[7:])
    kept = walker.sim.ctrl.copy()
    walker.relax()
    assert (walker.sim.ctrl == kept).all()


def test_commands_outlast_a_reset(walker):
    walker.set_command('twist', [0.5, 0.0, 0.0])
    walker.reset()
    assert walker.sim.command('twist')[0].tolist() == [0.5, 0.0, 0.0]


def fallen_by(robot, gains, periods=10):
    """How far the trunk sinks while the servos have these gains [m]."""
    robot.reset(seed=1)
    robot.set_gains(gains)
    robot.set_action(robot.sim.joints('*').position[0])
    before = float(robot.sim.free_joint.qpos[0, 2])
    for _ in range(periods * robot.steps_per_period):
        robot.advance()
    return before - float(robot.sim.free_joint.qpos[0, 2])


def test_servos_have_the_gains_of_the_command_until_the_next_reset():
    robot = TaskRobot(find('quadruped'), seed=1)
    assert robot.takes_gains and not TaskRobot(find('rover')).takes_gains
    own = fallen_by(robot, Gains())
    limp = fallen_by(robot, Gains(np.zeros(12), np.full(12, 0.7)))
    assert limp > own + 0.05, 'without stiffness it folds'
    robot.reset(seed=1)
    assert fallen_by(robot, Gains()) == own
