"""policy_node on other robots: several sources, other message types, a fixed rate."""

import math
import time

import numpy as np
import pytest
from policy_robot import DEFAULTS, SPEC, Robot, T
from rclpy.time import Time

from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import LATCHED
from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

BASE = PolicySpec(
    ('hinge/position', 'obs_1', 'obs_2', 'obs_3'), ('',) * 4, ('action_0', 'action_1'), ('m/s', 'rad/s'),
    (-1.0, -2.0), (1.0, 2.0), T,
)  # fmt: skip
SOURCES = (
    "observation.sources:=['joints', 'imu']",
    'observation.imu.type:=Imu', 'observation.imu.topic:=imu/data', 'observation.imu.max_age_s:=0.2',
    "observation.fields:=['joints:pole/position', 'imu:orientation.pitch', 'joints:pole/position', "
          "'imu:angular_velocity.y']",
    'observation.scale:=[1.0, 2.0, 1.0, 1.0]', 'observation.offset:=[0.0, 0.5, 0.0, 0.0]',
    "observation.transform:=['none', 'none', 'sin', 'none']",
    'command.type:=TwistStamped', "command.fields:=['linear.x', 'angular.z']",
    'command.frame_id:=base_link',
)  # fmt: skip


@pytest.fixture(scope='module')
def policies(make_policy_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp('policies')
    make_policy_file(n_actions=2, spec=BASE).save(folder / 'base.safetensors')
    make_policy_file(spec=SPEC).save(folder / 'joints.safetensors')
    return folder


def imu(stamp, pitch, rate):
    message = interface_class('sensor_msgs/msg/Imu')()
    message.header.stamp = stamp
    message.orientation.y, message.orientation.w = math.sin(pitch / 2), math.cos(pitch / 2)
    message.angular_velocity.y = rate
    return message


def sent(robot):
    return [command.data[0] for command in robot.commands]


def until_it_answered(robot, times):
    """Publish a state every 10 ms until there are so many commands."""

    def answered():
        robot.publish()
        robot.ros.spin(0.01)
        return len(robot.commands) >= times

    robot.ros.until(answered, f'{times} commands')


def test_two_sources_scaled_shifted_and_turned_become_one_twist(ros, policies):
    robot = Robot(ros, policies / 'base.safetensors', *SOURCES, kind='geometry_msgs/msg/TwistStamped')
    inertial = ros.publisher('sensor_msgs/msg/Imu', 'imu/data')
    reason = "no message has arrived from the source 'imu' (orientation.pitch, angular_velocity.y)"

    def refused():
        robot.publish((0.3, 0.0), joints=['pole'])
        ros.spin(0.05)
        return reason in robot.status[-1].message

    ros.until(refused, reason)

    def turned(stamp):
        inertial.publish(imu(Time(nanoseconds=stamp).to_msg(), 0.2, -0.4))
        ros.spin(0.02)

    def answered():
        turned(robot.now)
        robot.publish((0.3, 0.0), joints=['pole'])
        ros.spin(0.02)
        return robot.commands

    ros.until(answered, 'a command')
    robot.call('reset_state')  # it forgets the sources as well
    ros.settle('policy_node')
    robot.commands.clear()
    stamp = robot.now
    turned(stamp)
    ros.spin(0.1)
    assert not robot.commands, 'only the first source triggers'
    robot.publish((0.3, 0.0), joints=['pole'], stamp=stamp)
    ros.until(lambda: robot.commands, 'the command')
    observation = np.array([0.3, 2 * 0.2 + 0.5, math.sin(0.3), -0.4])
    expected = Policy.load(robot.path, engine='numpy').step(observation, None)
    command = robot.commands[-1]
    assert [command.twist.linear.x, command.twist.angular.z] == pytest.approx(expected, abs=1e-9)
    assert command.header.frame_id == 'base_link' and command.header.stamp.sec > 0
    ros.spin(0.3)
    assert robot.no_command((0.3, 0.0), joints=['pole'])
    robot.until_status("the source 'imu' is more than 0.2 s older")


def test_a_scan_a_goal_and_a_velocity_command_are_read_by_parameters_alone(ros, policies):
    path = policies / 'base.safetensors'
    parameters = (
        *DEFAULTS, f'policy:={path}', "observation.sources:=['odom', 'scan', 'goal', 'cmd_vel']",
        'observation.odom.type:=Odometry', 'observation.scan.type:=sensor_msgs/LaserScan',
        'observation.goal.type:=geometry_msgs/msg/PoseStamped', 'observation.goal.topic:=goal_pose',
        'observation.goal.max_age_s:=0', 'observation.cmd_vel.type:=Twist', 'observation.cmd_vel.missing:=[0.25]',
        "observation.fields:=['odom:pose.covariance[7]', 'scan:min(ranges[0:2])', 'goal:pose.position.x', "
        "'cmd_vel:linear.x']",
        'observation.nonfinite:=range_max', 'command.type:=Twist', "command.fields:=['linear.x', 'angular.z']",
    )  # fmt: skip
    ros.start('policy_node', *(word for text in parameters for word in ('-p', text)))
    status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
    commands = ros.subscribe('geometry_msgs/msg/Twist', 'command', 100)
    odometry = ros.publisher('nav_msgs/msg/Odometry', 'odom')
    scans = ros.publisher('sensor_msgs/msg/LaserScan', 'scan')
    goals = ros.publisher('geometry_msgs/msg/PoseStamped', 'goal_pose')

    def say(goal=None):
        stamp = ros.node.get_clock().now().to_msg()
        scan = interface_class('sensor_msgs/msg/LaserScan')(ranges=[math.nan, math.inf, 0.5], range_max=2.0)
        odom = interface_class('nav_msgs/msg/Odometry')()
        scan.header.stamp = odom.header.stamp = stamp
        odom.header.frame_id, odom.pose.covariance[7] = 'odom', 0.125
        if goal is not None:
            pose = interface_class('geometry_msgs/msg/PoseStamped')()
            pose.header.frame_id, pose.pose.position.x = goal, 1.5
            goals.publish(pose)
        scans.publish(scan)
        odometry.publish(odom)
        ros.spin(0.05)

    for goal, reason in ((None, "from the source 'goal'"), ('map', 'publish both in one frame')):
        ros.until(lambda goal=goal, reason=reason: say(goal) or any(reason in one.message for one in status), reason)
    assert not commands
    ros.until(lambda: say('odom') or commands, 'a command')
    assert ros.call('std_srvs/srv/Trigger', 'policy_node/reset_state').success  # the goal stays
    ros.settle('policy_node')
    commands.clear()
    ros.until(lambda: say() or commands, 'a command')
    expected = Policy.load(path, engine='numpy').step(np.array([0.125, 2.0, 1.5, 0.25]), None)
    assert [commands[0].linear.x, commands[0].angular.z] == pytest.approx(expected, abs=1e-9)


def test_at_a_fixed_rate_the_slew_rate_holds_between_any_two_commands(ros, policies):
    robot = Robot(
        ros, policies / 'joints.safetensors', 'rate_hz:=5', 'slew_rate:=0.1', 'command.type:=JointState',
        kind='sensor_msgs/msg/JointState',
    )  # fmt: skip
    ros.until(lambda: robot.publish((50.0, 50.0, 50.0, 50.0)) or ros.spin(0.02) or robot.commands, 'the first command')
    for count in range(2, 12):  # a state waits for its tick nearly a period long, and every other tick has none
        ros.until(lambda count=count: len(robot.commands) >= count, 'the next command')
        if count % 2:
            robot.publish((50.0, 50.0, 50.0, 50.0))
    efforts = np.array([command.effort[0] for command in robot.commands])
    times = np.array([Time.from_msg(command.header.stamp).nanoseconds for command in robot.commands]) * 1e-9
    changes = np.abs(np.diff(efforts))
    assert np.abs(efforts[-1]) > 0.1, 'on its way all the time'
    assert (changes <= 1.5 * 0.1 * np.diff(times)).all(), (changes, np.diff(times))


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (('-p', 'observation.sources:=[joints]'), "'observation.fields' is empty, but cannot be derived"),
        (('-p', 'observation.sources:=[imu]'), "'observation.imu.type' is empty; give the message type of 'imu'"),
        (('-p', 'observation.imu.type:=Imu'), "there is no parameter 'observation.imu.type'"),
    ],
)
def test_sources_that_cannot_work_are_refused_in_one_sentence(ros, policies, extra, message):
    policy = policies / 'base.safetensors'
    process = ros.start('policy_node', '-p', f'policy:={policy}', '-p', 'autostart:=true', *extra)
    assert process.wait() == 1
    assert message in process.output
    assert process.output.count('\n') == 1


def test_a_fixed_rate_repeats_the_command_between_states_and_leaves_the_hidden_state_alone(ros, policies):
    robot = Robot(ros, policies / 'joints.safetensors', 'rate_hz:=50', 'max_state_age_s:=2')
    robot.until_it_answers()
    robot.ready()
    policy = Policy.load(robot.path, engine='numpy')
    start = robot.now
    for tick, elapsed in enumerate([None, T, T]):
        expected = policy.step(np.array([0.1, 0.2, 0.3, 0.4]), elapsed)
        robot.commands.clear()
        robot.publish((0.1, 0.2, 0.3, 0.4), stamp=start + round(tick * T * 1e9))
        repeated = pytest.approx([expected[0]] * 3, abs=1e-9)  # the first may still be those before
        ros.until(lambda repeated=repeated: sent(robot)[-3:] == repeated, 'repeated commands')
    ros.until(lambda: 'max_state_age_s' in robot.status[-1].message, 'the end of freshness')
    ros.until_quiet(robot.commands, 0.3)


def test_at_a_fixed_rate_the_newest_of_many_states_counts(ros, policies):
    robot = Robot(ros, policies / 'joints.safetensors', 'rate_hz:=10', depth=10)
    robot.until_it_answers()
    robot.commands.clear()
    begun = time.monotonic()
    until_it_answered(robot, 20)
    assert len(robot.commands) <= 10 * (time.monotonic() - begun) + 2
    assert int(robot.diagnostics()['superseded']) > 10


def test_a_slew_rate_and_a_ramp_hold_commands_back(ros, policies):
    robot = Robot(ros, policies / 'joints.safetensors', 'slew_rate:=1.0', 'ramp_s:=0.5')
    robot.until_it_answers()
    robot.call('arm', data=False)
    assert robot.call('arm', data=True).success
    robot.commands.clear()
    before = time.monotonic()
    until_it_answered(robot, 20)
    assert sent(robot)[0] == 0.0, 'an effort starts from zero'
    assert 0.0 < abs(sent(robot)[-1]) <= time.monotonic() - before
