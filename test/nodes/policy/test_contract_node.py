"""policy_node with nothing but a policy file that has a contract: topics of every source, standing up, stopping."""

import math
import time
from array import array

import numpy as np
import pytest
from toy_tasks import walker

from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import LATCHED, NEWEST
from velora_ros.tasks.find_task import find

pytestmark = pytest.mark.ros

JOINTS = ('left_hip', 'right_hip')
IMU, TWIST, STAMPED = 'sensor_msgs/msg/Imu', 'geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'
ODOM, SCAN, POINT = 'nav_msgs/msg/Odometry', 'sensor_msgs/msg/LaserScan', 'geometry_msgs/msg/PointStamped'
GOAL = 'geometry_msgs/msg/PoseStamped'


@pytest.fixture(scope='module')
def policies(make_policy_file, tmp_path_factory):
    folder, found = tmp_path_factory.mktemp('policies'), {}
    for name, spec in (('walk', walker().policy_spec), ('rover', find('rover').policy_spec)):
        period, found[name] = spec.control_period, folder / f'{name}.safetensors'
        size = (spec.observation_dim, 20, spec.action_dim)
        make_policy_file(*size, spec=spec, dt_range=(period, period)).save(found[name])
    return found


class Walker:
    """A robot with two joints, an inertial sensor and an operator who commands it."""

    def __init__(self, ros, policy, *extra, told=TWIST):
        words = (f'policy:={policy}', 'autostart:=true', 'engine:=numpy', 'max_state_age_s:=5', 'watchdog_timeout_s:=0')
        ros.start('policy_node', *(word for text in (*words, *extra) for word in ('-p', text)))
        self.ros = ros
        self.status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
        ros.until(lambda: self.status and 'armed' in self.status[-1].message, 'an active node')
        self.commands = ros.subscribe('std_msgs/msg/Float64MultiArray', 'command', 1000)
        self.seen = ros.subscribe('std_msgs/msg/Float64MultiArray', 'policy_node/debug/observation', NEWEST.profile())
        self.inertial, self.told = ros.publisher(IMU, 'imu/data'), ros.publisher(told, 'cmd_vel')
        self.states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states')
        self.place, self.stamp = [0.3, -0.3], 0

    def publish(self, down=(0.0, 0.0, 0.0, 1.0), follow=True):
        """Publish an Imu, then a state whose joints are where they were commanded."""
        self.stamp = max(self.ros.node.get_clock().now().nanoseconds, self.stamp + 1)
        inertial = interface_class(IMU)()
        inertial.header.stamp = to_joint_state((), [], [], [], self.stamp).header.stamp
        inertial.orientation.x, inertial.orientation.y, inertial.orientation.z, inertial.orientation.w = down
        inertial.angular_velocity.z = 0.4
        self.inertial.publish(inertial)
        if self.commands and follow:
            self.place = list(self.commands[-1].data)
        self.states.publish(to_joint_state(JOINTS, self.place, [0.1, 0.2], [], self.stamp))
        self.ros.spin(0.005)

    def until(self, condition, what):
        def done():
            self.publish()
            return condition()

        return self.ros.until(done, what)

    def call(self, service, **fields):
        kind = 'std_srvs/srv/SetBool' if fields else 'std_srvs/srv/Trigger'
        return self.ros.call(kind, f'policy_node/{service}', **fields)


def test_a_policy_file_alone_reads_all_its_sources_stands_the_robot_up_and_walks_when_told(ros, policies):
    robot = Walker(ros, policies['walk'], 'start_pose_speed:=2.0')
    robot.until(lambda: 'disarmed' in robot.status[-1].message and robot.seen, 'observations')
    refused = robot.call('arm', data=True)
    assert not refused.success and "set 'gains_confirmed' to true" in refused.message
    ros.set_parameters('policy_node', gains_confirmed=True)
    robot.publish(down=(1.0, 0.0, 0.0, 0.0))
    robot.publish(down=(1.0, 0.0, 0.0, 0.0))
    ros.spin(0.2)
    assert 'tilted' in robot.call('arm', data=True).message
    robot.until(lambda: robot.call('arm', data=True).success, 'an upright robot')
    robot.until(lambda: 'ready' in robot.status[-1].message, 'the start pose')
    commands = np.array([command.data for command in robot.commands])
    assert commands[0] == pytest.approx([0.3, -0.3], abs=0.05) and commands[-1] == pytest.approx([0, 0])
    assert robot.call('start').success
    told = interface_class(TWIST)()
    told.linear.x, told.angular.z = 9.0, 0.5
    robot.told.publish(told)
    robot.until(lambda: 'armed' in robot.status[-1].message, 'the policy')
    robot.seen.clear()
    robot.told.publish(told)
    robot.until(lambda: robot.seen and robot.seen[-1].data[12] > 0, 'the command')
    seen = robot.seen[-1].data
    assert seen[2] == pytest.approx(0.4 * 0.25) and list(seen[3:6]) == pytest.approx([0, 0, -1])
    assert list(seen[8:10]) == pytest.approx([0.1 * 0.05, 0.2 * 0.05])
    assert list(seen[12:15]) == pytest.approx([1.0, 0.0, 0.5]), 'clipped to the range of training'
    robot.until(lambda: any(robot.seen[-1].data[10:12]), 'the previous action')


def test_a_driver_at_500_hz_gets_a_command_for_each_period_of_the_policy(ros, policies):
    robot = Walker(ros, policies['walk'], 'gains_confirmed:=true', 'arm_on_activate:=true', 'start_pose_speed:=0.0')
    robot.until(lambda: robot.commands, 'a command')
    robot.commands.clear()
    stamps = robot.ros.node.get_clock().now().nanoseconds + np.arange(500) * 2_000_000
    for stamp in stamps:  # 1 s of states, stamped as a driver at 500 Hz does, as fast as this process can
        robot.states.publish(to_joint_state(JOINTS, robot.place, [0.0, 0.0], [], int(stamp)))
        ros.spin(0.001)
    ros.until_quiet(robot.commands)
    assert 25 <= len(robot.commands) <= 51, 'some states are lost on a busy machine, but each 20 ms have one at most'


def test_the_rate_can_change_between_one_step_per_period_and_one_per_state_while_the_node_runs(ros, policies):
    robot = Walker(ros, policies['walk'], 'gains_confirmed:=true', 'arm_on_activate:=true', 'start_pose_speed:=0.0')
    robot.until(lambda: robot.commands, 'a command')
    for rate, fewest, most in ((0.0, 40, 100), (-1.0, 5, 22)):
        assert ros.set_parameters('policy_node', rate_hz=rate)[0].successful
        ros.until_quiet(robot.commands)
        robot.commands.clear()
        start = robot.ros.node.get_clock().now().nanoseconds
        for stamp in start + np.arange(100) * 4_000_000:  # 0.4 s of states at 250 Hz
            robot.states.publish(to_joint_state(JOINTS, robot.place, [0.0, 0.0], [], int(stamp)))
            ros.spin(0.004)
        ros.until_quiet(robot.commands)
        assert fewest <= len(robot.commands) <= most, 'some states are lost on a busy machine'


def test_a_state_in_two_messages_is_answered_when_it_is_complete(ros, policies):
    robot = Walker(ros, policies['walk'], 'gains_confirmed:=true', 'arm_on_activate:=true', 'start_pose_speed:=0.0')
    robot.until(lambda: robot.commands, 'a command')
    robot.commands.clear()
    for cycle in robot.ros.node.get_clock().now().nanoseconds + np.arange(50) * 20_000_000:
        for place, joint in enumerate(JOINTS):
            stamp = int(cycle) + place * 1_000_000
            robot.states.publish(to_joint_state([joint], [robot.place[place]], [0.0], [], stamp))
        so_far, late = len(robot.commands), time.monotonic() + 0.5
        ros.until(lambda n=so_far, end=late: len(robot.commands) > n or time.monotonic() > end, 'an answer')
    ros.until_quiet(robot.commands)
    assert 40 <= len(robot.commands) <= 51


def test_a_stamped_twist_is_read_by_a_parameter_alone(ros, policies):
    robot = Walker(ros, policies['walk'], 'observation.cmd_vel.type:=TwistStamped', told=STAMPED)
    robot.until(lambda: robot.seen, 'observations')
    told = interface_class(STAMPED)()
    told.twist.linear.x = 0.25

    def read():
        told.header.stamp = robot.ros.node.get_clock().now().to_msg()
        robot.told.publish(told)
        return robot.seen[-1].data[12] == pytest.approx(0.25)

    robot.until(read, 'the command')


class Rover:
    """A robot with a laser and odometry, and an operator who gives it goals."""

    def __init__(self, ros, policy, *extra, goal=GOAL):
        words = (f'policy:={policy}', 'autostart:=true', 'engine:=numpy', 'arm_on_activate:=true')
        ros.start('policy_node', *(word for text in (*words, *extra) for word in ('-p', text)))
        self.ros = ros
        self.status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
        ros.until(lambda: self.status and 'armed' in self.status[-1].message, 'an active node')
        self.commands = ros.subscribe(STAMPED, 'command', 1000)
        self.goal = None
        self.odometry, self.scans, self.goals = (
            ros.publisher(kind, topic) for kind, topic in ((ODOM, 'odom'), (SCAN, 'scan'), (goal, 'goal_pose'))
        )

    def publish(self, ranges=(3.0,) * 360):
        stamp = self.ros.node.get_clock().now().to_msg()
        odometry, scan = interface_class(ODOM)(), interface_class(SCAN)()
        odometry.header.stamp = scan.header.stamp = stamp
        odometry.header.frame_id, odometry.pose.pose.orientation.w = 'odom', 1.0
        scan.angle_min, scan.angle_increment, scan.range_min, scan.range_max = -math.pi, math.pi / 180, 0.1, 12.0
        scan.ranges = array('f', ranges)
        self.odometry.publish(odometry)
        if self.goal is not None:
            self.goals.publish(self.goal)
        self.ros.spin(0.01)
        self.scans.publish(scan)
        self.ros.spin(0.09)

    def until(self, condition, what):
        def done():
            self.publish()
            return condition()

        return self.ros.until(done, what)


def test_a_rover_waits_for_a_goal_refuses_another_frame_and_stops_when_the_laser_does(ros, policies):
    robot = Rover(ros, policies['rover'])
    robot.until(lambda: "no message has arrived from the source 'goal_pose'" in robot.status[-1].message, 'a refusal')
    goal = interface_class(GOAL)()
    goal.header.frame_id, goal.pose.position.x = 'map', 1.0
    robot.goal = goal
    robot.until(lambda: "'goal_pose' is in the frame 'map'" in robot.status[-1].message
                or "in the frame 'map', but 'odom'" in robot.status[-1].message, 'the frame by name')  # fmt: skip
    assert not robot.commands
    goal.header.frame_id = 'odom'
    robot.goal = goal
    robot.until(lambda: robot.commands, 'a command')
    twist = robot.commands[-1].twist
    assert abs(twist.linear.x) <= 0.31 and abs(twist.angular.z) <= 1.9 and twist.linear.y == 0
    ros.until(lambda: robot.commands[-1].twist.linear.x == robot.commands[-1].twist.angular.z == 0, 'zero velocity')
    robot.commands.clear()
    robot.publish(ranges=(math.nan,) * 360)
    assert not robot.commands, 'no ray measured anything'


def test_a_goal_may_be_a_point_by_a_parameter_alone(ros, policies):
    robot = Rover(ros, policies['rover'], 'observation.goal_pose.type:=PointStamped', goal=POINT)
    goal = interface_class(POINT)()
    goal.header.frame_id, goal.point.x = 'odom', 1.0
    robot.goal = goal
    robot.until(lambda: robot.commands, 'a command')
