"""sim_node with a task's robot, seen by a peer over real DDS."""

import json
import math
import signal
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import LATCHED
from velora_ros.tasks.find_task import find
from velora_ros.tasks.task_robot import TaskRobot

pytestmark = pytest.mark.ros

JOINTS, IMU, ODOM = 'sensor_msgs/msg/JointState', 'sensor_msgs/msg/Imu', 'nav_msgs/msg/Odometry'
VECTOR, TWIST, STAMPED = 'std_msgs/msg/Float64MultiArray', 'geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'
SCAN, GOAL, EMPTY = 'sensor_msgs/msg/LaserScan', 'geometry_msgs/msg/PoseStamped', 'std_msgs/msg/Empty'
TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
LEGS = find('quadruped').built.start_qpos[7:]


@pytest.fixture
def sim(ros):
    """Starts sim_node with parameters; `__` in a name stands for a dot."""

    def start(**values):
        text = {name.replace('__', '.'): value if isinstance(value, str) else json.dumps(value)
                for name, value in values.items()}  # fmt: skip
        return ros.start('sim_node', *(word for name in text for word in ('-p', f'{name}:={text[name]}')))

    return start


def xyz(vector):
    return [vector.x, vector.y, vector.z]


def vector(*values):
    return interface_class(VECTOR)(data=[float(value) for value in values])


def twist(x=0.0, y=0.0, yaw=0.0):
    message = interface_class(TWIST)()
    message.linear.x, message.linear.y, message.angular.z = x, y, yaw
    return message


def summary_of(process):
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    return json.loads(process.output.splitlines()[-1])


def test_a_quadruped_publishes_its_sensors_of_one_time_and_stands_until_a_command(ros, sim):
    sim(task='quadruped')
    inertial, odometry = ros.subscribe(IMU, 'imu/data', 50), ros.subscribe(ODOM, 'odom', 50)
    states, observations = ros.subscribe(JOINTS, 'joint_states', 50), ros.subscribe(VECTOR, 'observation')
    ros.until(lambda: all(len(seen) > 3 for seen in (inertial, odometry, states, observations)))
    assert len(states[0].name) == len(states[0].velocity) == len(states[0].effort) == 12
    assert states[0].name[:3] == ['FR_hip_joint', 'FR_thigh_joint', 'FR_calf_joint']
    assert np.abs(np.array(states[0].position) - LEGS).max() <= 0.1
    assert xyz(inertial[0].linear_acceleration) == pytest.approx([0, 0, 9.81], abs=0.01)
    assert odometry[0].pose.pose.position.z == pytest.approx(0.285, abs=0.01)
    assert (odometry[0].header.frame_id, odometry[0].child_frame_id) == ('odom', 'base_link')
    assert inertial[0].header.frame_id == 'base_link'
    stamps = [{to_nanoseconds(one.header.stamp) for one in seen} for seen in (inertial, odometry, states)]
    assert stamps[0] & stamps[1] & stamps[2]
    assert len(observations[0].data) == 47
    assert states[-1].position == states[0].position


def test_its_description_is_a_urdf_with_the_joints_and_frames_of_its_messages(ros, sim):
    sim(task='rover', scan_frame_id='rplidar_link')
    texts = ros.subscribe('std_msgs/msg/String', 'robot_description', LATCHED.profile())
    scans, states = ros.subscribe(SCAN, 'scan'), ros.subscribe(JOINTS, 'joint_states')
    ros.until(lambda: texts and scans and states)
    robot = ET.fromstring(texts[0].data)
    assert {joint.get('name') for joint in robot.iter('joint')} >= set(states[0].name)
    assert {scans[0].header.frame_id, 'base_link'} <= {link.get('name') for link in robot.iter('link')}


def test_a_rover_scans_its_room(ros, sim):
    sim(task='rover', faults__nan="['scan/3']")
    scans = ros.subscribe(SCAN, 'scan')
    ros.until(lambda: len(scans) > 2)
    scan = scans[-1]
    assert len(scan.ranges) == 36 == round((scan.angle_max - scan.angle_min) / scan.angle_increment) + 1
    assert math.isnan(scan.ranges[3])
    seen = [r for i, r in enumerate(scan.ranges) if i != 3]
    assert all(scan.range_min < r < math.hypot(6, 6) for r in seen)
    assert (scan.range_max, scan.scan_time) == pytest.approx((12, 0.1))


def moved(states, joint, target):
    index = list(states[-1].name).index(joint)
    return abs(states[-1].position[index] - target) < 0.1


@pytest.mark.parametrize('kind', [VECTOR, JOINTS, TRAJECTORY])
def test_a_quadruped_follows_position_targets_of_each_type(ros, sim, kind):
    sim(task='quadruped')
    states = ros.subscribe(JOINTS, 'joint_states')
    ros.until(lambda: states)
    targets = LEGS.copy()
    targets[3] += 0.3  # the second leg's hip
    message = interface_class(kind)()
    if kind == VECTOR:
        message.data = targets.tolist()
    elif kind == JOINTS:
        message.name, message.position = list(states[0].name)[::-1], targets.tolist()[::-1]
    else:
        point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')(positions=targets.tolist())
        message.joint_names, message.points = list(states[0].name), [point]
    command = ros.publisher(kind, 'command')

    def arrived():
        command.publish(message)
        return moved(states, 'FL_hip_joint', targets[3])

    ros.until(arrived)


@pytest.mark.parametrize('kind', [TWIST, STAMPED])
def test_a_rover_follows_twists_of_each_type(ros, sim, kind):
    sim(task='rover')
    odometry = ros.subscribe(ODOM, 'odom')
    command = ros.publisher(kind, 'command')
    message = interface_class(kind)()
    getattr(message, 'twist', message).angular.z = 1.0

    def turns():
        command.publish(message)
        return odometry and odometry[-1].twist.twist.angular.z > 0.7

    ros.until(turns)


def test_a_command_of_the_wrong_length_is_refused_by_name(ros, sim):
    process = sim(task='quadruped')
    states = ros.subscribe(JOINTS, 'joint_states')
    command = ros.publisher(VECTOR, 'command')
    ros.until(lambda: states)
    command.publish(vector(1.0, 2.0))
    ros.until(lambda: 'the command has 2 values; the robot takes 12: FR_hip_joint/position' in process.output)


def test_the_driver_publishes_a_pattern_and_is_silent_while_somebody_else_publishes(ros, sim):
    process = sim(task='quadruped', drive=True, hold_until_command=False, command_timeout_s=0.0)
    twists = ros.subscribe(TWIST, 'cmd_vel', 100)
    ros.until(lambda: any(message.linear.x == 0.5 for message in twists), 'the second command of the pattern')
    assert twists[0] == twist()
    own = ros.publisher(TWIST, 'cmd_vel')
    ros.until(lambda: own.get_subscription_count() == 2, 'the simulator and this test as subscribers')

    def heard():  # again and again: the writer knows of a reader before the reader knows of the writer
        own.publish(twist(yaw=0.25))
        ros.spin(0.1)
        return "another node publishes the command 'twist', so sim_node does not" in process.output

    ros.until(heard, 'the silence of the driver')
    ros.until(lambda: any(message.angular.z == 0.25 for message in twists), 'the own command')
    first = next(i for i, message in enumerate(twists) if message.angular.z == 0.25)
    ros.until_quiet(twists, 0.5)
    count = len(twists)
    assert all(message.angular.z == 0.25 for message in twists[first + 3 :])
    ros.until(lambda: len(twists) > count, 'the driver goes on when nobody publishes any more')


def test_without_drive_nothing_is_commanded(ros, sim):
    sim(task='quadruped')
    states = ros.subscribe(JOINTS, 'joint_states')
    ros.until(lambda: len(states) > 3)
    assert ros.node.count_publishers('cmd_vel') == 0


def test_the_driver_stamps_twists_and_goals(ros, sim):
    sim(task='quadruped', drive=True, cmd_vel_type='TwistStamped', frame_prefix='dog/')
    twists = ros.subscribe(STAMPED, 'cmd_vel')
    ros.until(lambda: twists)
    assert twists[0].header.frame_id == 'dog/base_link'
    assert to_nanoseconds(twists[0].header.stamp) > 0


def test_a_rover_gets_the_goal_of_its_room_and_another_one_after_a_reset(ros, sim):
    sim(task='rover', drive=True)
    goals, resets, states = ros.subscribe(GOAL, 'goal_pose'), ros.subscribe(EMPTY, 'reset'), ros.subscribe(ODOM, 'odom')
    ros.until(lambda: goals and states)
    assert goals[0].header.frame_id == states[0].header.frame_id == 'odom'
    first, start = xyz(goals[0].pose.position), xyz(states[0].pose.pose.position)
    assert math.dist(first[:2], start[:2]) >= 3
    assert ros.call('std_srvs/srv/Trigger', 'sim_node/reset').success
    ros.until(lambda: resets and xyz(goals[-1].pose.position) != first)


def test_the_run_is_judged_by_the_published_twist_and_a_stale_one_is_zero(ros, sim):
    process = sim(task='quadruped', command_timeout_s=0.0, summary_line=True)
    states = ros.subscribe(JOINTS, 'joint_states')
    told, command = ros.publisher(TWIST, 'cmd_vel'), ros.publisher(VECTOR, 'command')
    ros.until(lambda: states)

    def stands_while_told_to_walk():
        told.publish(twist(x=1.0))
        command.publish(vector(*LEGS))
        return len(states) > 100

    ros.until(stands_while_told_to_walk)
    seen = len(states)
    ros.until(lambda: len(states) > seen + 100)  # without further commands it must stand
    summary = summary_of(process)
    assert summary['task'] == 'quadruped'
    assert summary['moving_tracking'] < 0.1
    assert 0.3 < summary['tracking'] < 0.9
    assert summary['falls'] == 0
    assert summary['last_minute']['tracking'] == summary['tracking']


def test_a_push_moves_the_robot_and_an_arm_cannot_be_pushed(ros, sim):
    sim(task='quadruped', hold_until_command=False, push_speed=1.0)
    odometry = ros.subscribe(ODOM, 'odom', 100)
    ros.until(lambda: len(odometry) > 20)
    pushed = ros.call('std_srvs/srv/Trigger', 'sim_node/push')
    assert pushed.success and '1 m/s' in pushed.message
    ros.until(lambda: any(np.hypot(*xyz(one.twist.twist.linear)[:2]) > 0.4 for one in odometry))


def test_an_arm_publishes_joints_and_the_pose_of_its_tool_and_gets_goals_within_reach(ros, sim):
    sim(task='arm', drive=True)
    states, goals = ros.subscribe(JOINTS, 'joint_states', 50), ros.subscribe(GOAL, 'goal_pose')
    poses = ros.subscribe(GOAL, 'tool_pose', 50)
    ros.until(lambda: states and goals and len(poses) > 3)
    arm = TaskRobot(find('arm'))
    arm.sim.qpos[0, arm.sim.joints('*').places] = states[-1].position
    arm.sim.batch.forward()
    assert xyz(poses[-1].pose.position) == pytest.approx(arm.sim.position('tool')[0], abs=1e-6)
    assert poses[-1].header.frame_id == goals[0].header.frame_id == 'base_link'
    assert {to_nanoseconds(one.header.stamp) for one in poses} & {to_nanoseconds(one.header.stamp) for one in states}
    assert 0.05 < np.linalg.norm(xyz(goals[0].pose.position)) < 1.4
    assert ros.node.count_publishers('odom') == ros.node.count_publishers('imu/data') == 0
    refused = ros.call('std_srvs/srv/Trigger', 'sim_node/push')
    assert not refused.success and 'no floating base' in refused.message


OWN_TERM = """
import dataclasses
from velora_ros.tasks import observe
from velora_ros.tasks.rover import ROVER

@observe.term('battery', 'V', scale=0.1)
def battery(sim):
    return 12.0 + 0 * sim.time

SHUTTLE = dataclasses.replace(ROVER, name='', observe=[*ROVER.observe, battery])
"""


def test_a_term_of_the_user_s_own_is_published_with_its_own_unit(ros, sim, tmp_path):
    path = tmp_path / 'shuttle.py'
    path.write_text(OWN_TERM)
    sim(task=f'{path}:SHUTTLE')
    voltages = ros.subscribe(VECTOR, 'observation/battery')
    ros.until(lambda: voltages)
    assert list(voltages[0].data) == [12.0]


def test_noise_affects_the_inertial_sensor_too(ros, sim):
    process = sim(task='quadruped', faults__noise='[0.2]', summary_line=True)
    inertial, odometry = ros.subscribe(IMU, 'imu/data', 100), ros.subscribe(ODOM, 'odom')
    ros.until(lambda: len(inertial) > 20 and odometry)
    rates = np.array([xyz(one.angular_velocity) for one in inertial])
    assert (rates.std(axis=0) > 0.01).all()
    q = inertial[-1].orientation
    assert q.w**2 + q.x**2 + q.y**2 + q.z**2 == pytest.approx(1)
    assert summary_of(process)['faults']['noise'] > 10


def test_messages_can_be_wrong_as_a_whole_and_right_again(ros, sim):
    sim(task='rover', faults__no_orientation=True)
    inertial, scans, odometry = (
        ros.subscribe(kind, name) for kind, name in ((IMU, 'imu/data'), (SCAN, 'scan'), (ODOM, 'odom'))
    )
    ros.until(lambda: inertial and scans and odometry)
    assert inertial[-1].orientation_covariance[0] == -1
    start = odometry[-1].pose.pose.position.x
    ros.set_parameters('sim_node', faults__scan_rays=20, faults__odom_jump_m=1.5, faults__no_orientation=False)
    ros.until(lambda: len(scans[-1].ranges) == 20 and inertial[-1].orientation_covariance[0] == 0)
    assert odometry[-1].pose.pose.position.x == pytest.approx(start + 1.5)
    assert scans[-1].angle_max == pytest.approx(math.radians(-175 + 190), abs=1e-3)
    ros.set_parameters('sim_node', faults__scan_rays=0, faults__odom_jump_m=0.0)
    ros.until(lambda: len(scans[-1].ranges) == 36)


def test_a_robot_can_start_lying(ros, sim):
    sim(task='quadruped', start='lying')
    odometry = ros.subscribe(ODOM, 'odom')
    ros.until(lambda: len(odometry) > 3)
    assert odometry[-1].pose.pose.position.z < 0.15


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'task': 'quadrupd'}, "there is no task 'quadrupd'"),
        ({'task': 'arm', 'start': 'lying'}, "cannot start 'lying'"),
        ({'task': 'quadruped', 'start': 'flying'}, "parameter 'start' is 'flying'"),
        ({'task': 'quadruped', 'faults__stuck': "['imo']"}, "Did you mean 'imu'?"),
        ({'task': 'nowhere.py:WALK'}, "there is no file 'nowhere.py'"),
    ],
)
def test_an_invalid_start_is_refused_in_one_sentence(ros, sim, values, words):
    process = sim(**values)
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert words in line
