import mujoco
import numpy as np
import pytest

from velora_ros.gym import ActionDelay, make
from velora_ros.gym.servos_and_control_limits import are_position_servos, control_limits, resting_controls
from velora_ros.gym.simulated_robot import SimulatedRobot

ARM = """
<mujoco>
  <compiler autolimits="true"/>
  <option timestep="0.002"/>
  <worldbody>
    <body name="upper"><joint name="lift" axis="0 1 0" range="-90 90" damping="1"/>
      <geom size="0.02 0.2" type="capsule"/>
      <body name="lower" pos="0.1 0 -0.4"><joint name="bend" axis="0 1 0" range="20 120" damping="1"/>
        <geom size="0.02 0.2" type="capsule"/><site name="tip" pos="0 0 -0.2"/></body></body>
    <body name="left" pos="1 0 0"><joint name="left" type="slide" axis="1 0 0" range="0 0.04" damping="5"/>
      <geom size="0.02" mass="0.1"/></body>
    <body name="right" pos="1.2 0 0"><joint name="right" type="slide" axis="-1 0 0" range="0 0.04" damping="5"/>
      <geom size="0.02" mass="0.1"/></body>
  </worldbody>
  <tendon><fixed name="grip" range="0 0.04"><joint joint="left" coef=".5"/><joint joint="right" coef=".5"/></fixed>
  </tendon>
  <actuator>{actuators}</actuator>
  {keyframes}
</mujoco>
"""
GRIPPER = (
    '<general name="gripper" tendon="grip" ctrlrange="0 255" gainprm="0.16" biastype="affine" biasprm="0 -1000 -20"/>'
)
HOME = 'qpos="-0.5 1 0.038 0.038"'


@pytest.fixture
def file(tmp_path):
    """Writes an arm with these actuators and keyframes, and returns its path."""

    def written(actuators, keyframes=''):
        path = tmp_path / 'arm.xml'
        path.write_text(ARM.format(actuators=actuators, keyframes=f'<keyframe>{keyframes}</keyframe>'))
        return str(path)

    return written


def left_alone(path, seconds=1.5):
    """Release the robot without a command; return the joints' positions before and after."""
    robot = SimulatedRobot(make(path))
    before = robot.positions
    robot.release()
    for _ in range(round(seconds / robot.physics_step)):
        robot.advance()
    return robot, before, robot.positions


SERVOS = {
    'position': '<position joint="lift" kp="300"/><position joint="bend" kp="300"/>',
    'geared': '<position joint="lift" kp="3" gear="10"/><position joint="bend" kp="3" gear="-10"/>',
    'general': '<general joint="lift" gainprm="100" biastype="affine" biasprm="5 -300 -3" ctrlrange="-9 9"/>'
    '<general joint="bend" gainprm="300" biastype="affine" biasprm="0 -300 -3" ctrlrange="0.9 9"/>',
    'filtered': '<position joint="lift" kp="300" timeconst="0.05"/>'
    '<general joint="bend" dyntype="filter" dynprm="0.1" gainprm="300" biastype="affine" biasprm="0 -300 -3"/>',
    'integrating': '<intvelocity joint="lift" kp="300" actrange="-2 2" ctrlrange="-1 1"/>'
    '<intvelocity joint="bend" kp="300" actrange="-2 3" ctrlrange="-1 1"/>',
    'in the parent': '<position jointinparent="lift" kp="300"/><position jointinparent="bend" kp="300"/>',
}  # fmt: skip


@pytest.mark.parametrize('kind', SERVOS)
def test_a_servo_that_nobody_commands_keeps_the_pose_it_has(file, kind):
    _, before, after = left_alone(file(SERVOS[kind] + GRIPPER, f'<key {HOME}/>'))
    np.testing.assert_allclose(before, [-0.5, 1, 0.038, 0.038])
    np.testing.assert_allclose(after, before, atol=0.06)  # the arm's weight, over the stiffness


def test_a_gripper_between_0_and_255_stays_open(file):
    robot, before, after = left_alone(file(SERVOS['position'] + GRIPPER, f'<key {HOME}/>'))
    np.testing.assert_allclose(after[2:], before[2:], atol=1e-3)
    robot.set_action(robot.check_command([-0.5, 1, 241]))
    robot.relax()
    for _ in range(500):
        robot.advance()
    assert robot.positions[2:].sum() / 2 == pytest.approx(241 * 0.16 / 1000, abs=1e-3)


def test_the_control_of_the_keyframe_comes_before_the_pose_and_its_zeros_say_nothing(file):
    pulled = f'<key {HOME} ctrl="-0.6 1.1 200"/>'
    robot = SimulatedRobot(make(file(SERVOS['position'] + GRIPPER, pulled)))
    np.testing.assert_allclose(robot._command, [-0.6, 1.1, 200])
    robot = SimulatedRobot(make(file(SERVOS['position'] + GRIPPER, f'<key {HOME}/>')))
    np.testing.assert_allclose(robot._command, [-0.5, 1, 0.038 * 1000 / 0.16])


@pytest.mark.parametrize(
    ('keys', 'lift'),
    [
        (['lying', 'home'], 0.2), (['stand', 'Home'], 0.2), (['lying', 'stand'], 0.2), (['other', 'more'], 0.1),
        (['', 'home'], 0.2),
    ],
)  # fmt: skip
def test_an_episode_begins_at_home_else_standing_else_at_the_first_keyframe(file, keys, lift):
    rows = ''.join(
        f'<key {f"name={name!r}" if name else ""} qpos="0.{place} 1 0 0"/>' for place, name in enumerate(keys, 1)
    )
    robot = SimulatedRobot(make(file(SERVOS['position'], rows)))
    assert robot.positions[0] == lift


def test_without_a_keyframe_a_servo_keeps_the_reference_pose_within_its_limits(file):
    robot = SimulatedRobot(make(file('<position joint="lift" kp="9" ctrlrange="0.2 1"/>')))
    np.testing.assert_allclose(robot._command, [0.2])


MIXED = (
    '<motor joint="lift" ctrlrange="-5 5"/><position joint="bend" kp="300"/>'
    '<velocity joint="left" kv="9" ctrlrange="-1 1"/>'
    '<muscle name="m" joint="right" ctrlrange="0 1" lengthrange="0 1"/>'
)


def test_motors_velocity_servos_and_muscles_get_zero_beside_a_servo_that_holds(file):
    robot = SimulatedRobot(make(file(MIXED, f'<key {HOME} ctrl="2 0.9 0.5 0.5"/>')))
    np.testing.assert_allclose(robot._command, [0, 0.9, 0, 0])
    robot.set_action(robot.check_command([3, 0.7, 1, 1]))
    robot.relax()
    np.testing.assert_allclose(robot._command, [0, 0.7, 0, 0])


def test_a_state_that_a_keyframe_sets_is_left_alone(file):
    env = make(file(SERVOS['filtered'], f'<key {HOME} ctrl="-0.5 1" act="-0.4 0"/>'))
    env.reset(seed=0)
    np.testing.assert_allclose(env.unwrapped.data.act, [-0.4, 1])


def test_an_environment_of_somebody_s_own_is_held_where_it_put_the_robot(file):
    env = make(file(SERVOS['position'] + GRIPPER))
    base = env.unwrapped

    def reset_model():
        base.set_state(np.array([0.3, 0.9, 0.01, 0.01]), np.zeros(4))
        return base._get_obs()

    base.reset_model = reset_model
    robot = SimulatedRobot(env)
    np.testing.assert_allclose(robot._command[:2], [0.3, 0.9])


@pytest.mark.parametrize(
    ('actuator', 'limits'),
    [
        ('<motor joint="lift" ctrlrange="-1 2" forcerange="-5 5"/>', (-1, 2)),
        ('<motor joint="lift" forcerange="-5 6"/>', (-5, 6)),
        ('<motor joint="lift" gear="10" forcerange="-5 6"/>', (-5, 6)),
        ('<general joint="lift" gainprm="-2" forcerange="-5 6"/>', (-3, 2.5)),
        ('<general joint="lift" gainprm="2" dyntype="filter" forcerange="-5 6" actrange="-1 9"/>', (-1, 3)),
        ('<position joint="bend" kp="5"/>', (np.radians(20), np.radians(120))),
        ('<position joint="bend" kp="5" gear="-2"/>', (-2 * np.radians(120), -2 * np.radians(20))),
        ('<general joint="lift" gainprm="2" biastype="affine" biasprm="1 -4 0"/>', (-np.pi - 0.5, np.pi - 0.5)),
        ('<position tendon="grip" kp="5"/>', (0, 0.04)),
        ('<muscle name="m" joint="left" lengthrange="0 1"/>', (0, 1)),
        ('<motor joint="lift"/>', None),
        ('<motor site="tip" gear="0 0 1 0 0 0"/>', None),
        ('<position site="tip" kp="3"/>', None),
        ('<velocity joint="lift" kv="3" forcerange="-1 1"/>', None),
        ('<intvelocity joint="lift" kp="3" actrange="-1 1"/>', None),
    ],
)
def test_limits_are_found_wherever_the_model_has_them(file, actuator, limits):
    model = mujoco.MjModel.from_xml_path(file(actuator))
    found = control_limits(model, 0)
    assert found is None if limits is None else found == pytest.approx(limits)


@pytest.mark.parametrize(('gear', 'limits'), [(1, (-88, 88)), (4, (-22, 22))])
def test_a_motor_is_limited_by_what_its_joint_bears(tmp_path, gear, limits):
    (tmp_path / 'leg.xml').write_text(
        f"""<mujoco><worldbody><body><joint name="hip" actuatorfrcrange="-88 88"/><geom size="0.1"/></body></worldbody>
        <actuator><motor joint="hip" gear="{gear}" forcerange="-100 100"/></actuator></mujoco>"""
    )
    space = make(str(tmp_path / 'leg.xml')).action_space
    assert (space.low[0], space.high[0]) == limits


def test_what_is_a_position_servo_is_seen_from_its_force_and_not_from_its_name(file):
    model = mujoco.MjModel.from_xml_path(file(MIXED + GRIPPER))
    assert are_position_servos(model).tolist() == [False, True, False, False, True]
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert resting_controls(model, data)[0] == 0


def test_a_delayed_action_leaves_servos_where_they_are_until_it_arrives(file):
    env = ActionDelay(make(file(MIXED, f'<key {HOME} ctrl="2 0.9 0.5 0.5"/>')), 2)
    controls = env.unwrapped.data.ctrl
    env.reset(seed=0)
    for expected in ([0, 0.9, 0, 0], [0, 0.9, 0, 0], [1, 1.2, 0.5, 1]):
        env.step(np.array([1, 1.2, 0.5, 1], np.float32))
        np.testing.assert_allclose(controls, expected, rtol=1e-6)
