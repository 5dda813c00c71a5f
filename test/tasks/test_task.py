import dataclasses

import mujoco
import numpy as np
import pytest
from toy_tasks import HOPPER, reacher, walker

from velora_ros.errors import TaskError
from velora_ros.tasks import act, command, fail, observe, reward, vary


def hopper(old: str = '', new: str = '') -> mujoco.MjSpec:
    assert old in HOPPER
    return mujoco.MjSpec.from_string(HOPPER.replace(old, new))


def limited(limits):
    return act.joint_targets(scale=1.0, stiffness=20.0, damping=0.5, effort_limit=9.0, limits=limits)


def driven(actuator: str) -> mujoco.MjSpec:
    both = ''.join(f'<{actuator} joint="{side}_hip"/>' for side in ('left', 'right'))
    return hopper('<sensor>', f'<actuator>{both}</actuator><sensor>')


def nan_when_it_moves(sim):
    return np.where(sim.time > 0.7, np.nan, 0.0)


def without_rows(sim):
    return 1.0


def broken(sim):
    return sim.nothing


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'fail': [fail.touches('torso', 'floor')]}, "no geom or body 'torso'"),
        ({'fail': [fail.touches('trunk', 'flor')]}, "Did you mean 'floor'"),
        ({'observe': [observe.gyro('imux')]}, "gyro: there is no sensor 'imux'.*Did you mean 'imu'"),
        ({'observe': [observe.joint_positions('knee')]}, "no joint 'knee'.*left_hip"),
        ({'observe': [observe.command('twits')]}, "no command 'twits'. Did you mean 'twist'"),
        ({'observe': [observe.gravity('imuu')]}, "no site 'imuu'"),
        ({'observe': []}, 'observe is empty'),
        ({'observe': [observe.gyro(), observe.gyro()]}, "two terms with the name 'gyro'"),
        ({'observe': [observe.gyro(noise=-1)]}, "noise of 'gyro'"),
        ({'observe': [observe.gyro(scale=(1, 2))]}, "scale of 'gyro' has 2 numbers"),
        ({'observe': [without_rows]}, r"'without_rows' has the shape \(\)"),
        ({'observe': [reward.alive()]}, 'must be an observation or a function'),
        ({'reward': {broken: 1.0}}, "term 'broken' failed with AttributeError"),
        ({'reward': {without_rows: 1.0}}, r"'without_rows' has the shape \(\)"),
        ({'reward': {reward.alive(): float('nan')}}, "weight of alive is nan"),
        ({'reward': {reward.slip('hand'): 1.0}}, "slip: there is no geom that collides 'hand'"),
        ({'vary': [vary.mass('torso', (1, 2))]}, "no body 'torso'"),
        ({'vary': [vary.bias('gyros', 1)]}, "no observation 'gyros'. Did you mean 'gyro'"),
        ({'vary': ['mass']}, "vary has 'mass'"),
        ({'vary': [vary.delay((0, 1)), vary.delay(observation=(0, 1))]}, 'vary.delay twice, but only one can apply'),
        ({'vary': [vary.drop_frames(0.1), vary.drop_frames(0.2)]}, 'vary.drop_frames twice, but only one can apply'),
        ({'period': 0.012}, 'whole number of timesteps'),
        ({'period': -1}, 'period is -1'),
        ({'episode': 0.01}, 'must not be shorter than the period'),
        ({'start': 'sit'}, "no keyframe 'sit'"),
        ({'start': {'knee': 1.0}}, "'knee' matches no joint"),
        ({'start': {'hip': 2.0}}, "'left_hip' at 2, outside its limits"),
        ({'start': {'base': 0.2}}, 'penetrates'),
        ({'act': act.joint_targets(scale={'knee': 1.0}, stiffness=20.0)}, "'knee' matches no joint"),
        ({'act': act.joint_targets(scale={'left': 1.0}, stiffness=20.0, effort_limit=9)}, "no number for the joint"),
        ({'act': act.joint_targets(scale=1.0, stiffness=20.0)}, 'has no limits; give effort_limit'),
        ({'act': act.joint_targets(scale=1.0)}, "joint 'left_hip' has no actuator"),
        ({'act': limited({'knee': (-0.5, 0.5)})}, "joint_targets: limits: 'knee' matches no joint"),
        ({'act': limited({'hip': (0.5, -0.5)})}, r"limits of 'hip' are \(0.5, -0.5\); give \(lower, upper\)"),
        ({'act': limited({'left': (-1.5, 0.5)})}, r"within the model's range, \(-1, 1\)"),
        ({'act': act.joint_efforts()}, "joint 'left_hip' has no actuator"),
        ({'act': act.joint_efforts(), 'model': driven('position kp="20"')}, "'left_hip' is not a motor"),
        ({'act': act.joint_efforts(), 'model': driven('motor ctrlrange="0 2"')}, "'left_hip' takes 0 to 2; give scale"),
        (
            {'act': act.joint_targets(scale=1.0), 'model': driven('position kp="20" gear="2" forcerange="-9 9"')},
            "'left_hip' is not a position servo",
        ),
        (
            {'act': act.joint_efforts(scale=4.0), 'vary': [vary.effort_limit((0.5, 1.0))]},
            "effort_limit: the actuator 'left_hip' has no forcerange",
        ),
        ({'act': 'targets'}, "act is 'targets'"),
        ({'model': 'nowhere.xml'}, "no model 'nowhere.xml'"),
        ({'model': 3}, 'the model is of type int'),
        ({'model': hopper('range="-1 1"', '')}, "joint 'left_hip' has no limits"),
        ({'model': hopper('mass="2"', 'mass="0"')}, 'cannot be compiled: .*mass'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_when_the_task_is_made(changes, message):
    with pytest.raises(TaskError, match=f'(?s){message}') as caught:
        walker(**changes)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: command.twist(x=(0, 1), still=0), 'give still > 0'),
        (lambda: command.twist(x=(1, 0), still=0.1), r'must each be \(lowest, highest\)'),
        (command.goal, 'give a function that samples goals, or a box'),
        (lambda: command.twist(x=(0, 1), still=0.1, every=(3, 1)), "'every' is"),
        (lambda: act.joint_targets(1.0, mode='relative'), 'it must be absolute or increment'),
        (lambda: act.twist('l', 'r', radius=0, separation=1, linear=1, angular=1), 'radius is 0'),
        (lambda: vary.friction('foot', (-1, 1)), 'at least 0'),
        (lambda: vary.delay((2, 1)), 'two whole numbers'),
        (lambda: vary.drop_frames(1.0), r'must be in \[0, 1\)'),
        (lambda: fail.tilted(4.0), 'between 0 and pi'),
    ],
)
def test_a_term_checks_its_arguments(make, message):
    with pytest.raises(TaskError, match=message):
        make()


def test_a_reward_that_is_not_a_number_is_named_with_its_simulation():
    env = walker(reward={reward.alive(): 1.0, nan_when_it_moves: 1.0}, fail=[]).make_vec(2, seed=0)
    env.reset()
    with pytest.raises(TaskError, match="'nan_when_it_moves' is nan in simulation 0"):
        for _ in range(50):
            env.step(np.zeros((2, 2)))


def test_a_time_step_at_which_the_simulation_diverges_is_found_with_one_that_does_not():
    stiff = act.joint_targets(scale=0.5, stiffness=20.0, damping=60.0, effort_limit=1e6)
    model = hopper('timestep="0.005" integrator="implicitfast"', 'timestep="0.005" integrator="Euler"')
    with pytest.raises(
        TaskError, match=r'unstable with a time step of 0.005 s.*(which is stable|reduce the stiffness)'
    ):
        walker(model=model, act=stiff, fail=[])


def test_the_specification_names_joints_units_and_si_values():
    spec = walker(start={'left_hip': 0.1}).policy_spec
    assert spec.observation_names[6:10] == (
        'left_hip/position', 'right_hip/position', 'left_hip/velocity', 'right_hip/velocity',
    )  # fmt: skip
    assert spec.observation_names[-3:] == ('twist.linear.x', 'twist.linear.y', 'twist.angular.z')
    assert spec.observation_units[-3:] == ('m/s', 'm/s', 'rad/s')
    assert spec.action_names == ('left_hip/position', 'right_hip/position')
    np.testing.assert_allclose(spec.to_si([1, 1]), [0.6, 0.5])
    assert spec.control_period == 0.02


def test_a_task_can_be_changed_and_is_checked_again():
    task = walker()
    assert dataclasses.replace(task, episode=2.0).built.steps == 100
    with pytest.raises(TaskError):
        dataclasses.replace(task, period=0.003)


def test_a_model_without_a_floor_gets_one():
    floor = '<geom name="floor" type="plane" size="0 0 0.05"/>'
    task = walker(model=hopper(floor, ''))
    assert task.built.model.geom('floor').type[0] == int(mujoco.mjtGeom.mjGEOM_PLANE)


def test_increments_move_the_targets_from_the_present_pose_within_the_limits():
    env = reacher().make(seed=0)
    env.reset()
    start = env.vector.sim.joints().position[0].copy()
    np.testing.assert_array_equal(env.vector.sim.ctrl[0], start)
    env.step([1, -1])
    np.testing.assert_allclose(env.vector.sim.ctrl[0], start + np.array([0.04, -0.04]))
    for _ in range(200):
        env.step([1, -1])
    joints = env.vector.sim.joints()
    assert (env.vector.sim.ctrl[0] <= joints.high).all()
    assert (env.vector.sim.ctrl[0] >= joints.low).all()
