"""sim_node takes every command type that policy_node sends, so that a robot's parameter file can be rehearsed."""

import pytest
from rclpy.serialization import deserialize_message

from velora_ros.errors import ConfigError, SpecError
from velora_ros.nodes.policy.encoders import TYPES, make_writer
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.sim.command_subscription import CommandInput, make_command_reader
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros


def spec(*actions):
    n = len(actions)
    return PolicySpec(('a/position',), ('rad',), actions, ('',) * n, (-9.0,) * n, (9.0,) * n, 0.04)


ARM = spec('shoulder/position', 'elbow/position')
WHEELS = spec('action_0', 'action_1')


def reader(kind, robot, *fields, interface=''):
    return make_command_reader(kind, robot, interface=interface, fields=fields)


def message(kind, **fields):
    return interface_class(TYPES[kind])(**fields)


@pytest.mark.parametrize(
    ('kind', 'robot', 'fields', 'interface'),
    [
        ('Float64MultiArray', ARM, (), ''),
        ('JointState', ARM, (), ''),
        ('JointTrajectory', ARM, (), ''),
        ('JointState', ARM, ('arm_1', 'arm_2'), ''),
        ('JointTrajectory', WHEELS, ('left', 'right'), 'velocity'),
        ('JointState', WHEELS, ('left/effort', 'right/effort'), ''),
        ('Twist', WHEELS, ('linear.x', 'angular.z'), ''),
        ('TwistStamped', WHEELS, ('angular.z', 'linear.y'), ''),
    ],
)
def test_what_policy_node_writes_is_what_the_robot_gets(kind, robot, fields, interface):
    write = make_writer(kind, robot, interface=interface, fields=fields, frame_id='', now=lambda: 0)
    sent = write([0.5, -1.5])
    if isinstance(sent, bytes):
        sent = deserialize_message(sent, interface_class(TYPES[kind]))
    assert reader(kind, robot, *fields, interface=interface)(sent).tolist() == [0.5, -1.5]


@pytest.mark.parametrize('fields', [(), ('elbow', 'shoulder')])
def test_joints_go_by_their_names_in_any_order(fields):
    sent = message('JointState', name=['elbow', 'shoulder'], position=[1.0, 2.0])
    assert reader('JointState', ARM, *fields)(sent).tolist() == [2.0, 1.0]


def test_the_first_point_of_a_trajectory_is_what_is_commanded():
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')
    sent = message('JointTrajectory', joint_names=['elbow', 'shoulder'], points=[point(positions=[1, 2]), point()])
    assert reader('JointTrajectory', ARM)(sent).tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ('kind', 'fields', 'words'),
    [
        ('JointState', {'name': ['elbow'], 'position': [1.0]}, 'lacks shoulder; .* by exactly shoulder, elbow'),
        ('JointState', {'name': ['elbow', 'wrist'], 'position': [1.0, 2.0]}, 'lacks shoulder and has wrist'),
        ('JointState', {'name': ['elbow', 'shoulder'], 'effort': [1.0, 2.0]}, '2 values of effort for 2 joints; '),
        ('JointState', {'name': ['elbow', 'shoulder'], 'position': [1.0]}, '1 values of position for 2 joints'),
        ('JointState', {'name': ['elbow', 'elbow', 'shoulder'], 'position': [1.0] * 3}, 'names a joint twice'),
        ('JointTrajectory', {'joint_names': ['elbow', 'shoulder']}, 'has no point'),
    ],
)
def test_a_message_that_does_not_fit_the_robot_is_refused_with_what_would(kind, fields, words):
    with pytest.raises(SpecError, match=words):
        reader(kind, ARM)(message(kind, **fields))


@pytest.mark.parametrize(
    ('kind', 'robot', 'fields', 'words'),
    [
        ('JointState', ARM, ('elbow', 'wrist'), 'has wrist, which the simulated robot does not drive; it'),
        ('JointState', WHEELS, (), 'action_0, action_1 of the simulated robot is not one; name the joint'),
        ('Twist', WHEELS, (), "'action_0' is not a part of a Twist"),
        ('Twist', WHEELS, ('linear.x', 'angular.w'), "Did you mean 'angular."),
        ('JointTrajectory', ARM, ('elbow',), "'command.fields' has 1 entries and the simulated robot takes 2 values"),
    ],
)
def test_fields_that_do_not_fit_the_robot_are_refused_at_the_start(kind, robot, fields, words):
    with pytest.raises(ConfigError, match=words):
        reader(kind, robot, *fields)


def test_without_a_meaning_the_one_field_that_is_filled_counts():
    read = reader('JointState', WHEELS, 'left', 'right')
    assert read(message('JointState', name=['left', 'right'], velocity=[1.0, 2.0])).tolist() == [1.0, 2.0]
    with pytest.raises(SpecError, match='one of position, velocity and effort'):
        read(message('JointState', name=['left', 'right'], velocity=[1.0, 2.0], effort=[1.0, 2.0]))


def test_a_subscription_in_another_type_is_tried_until_the_old_one_is_gone(monkeypatch):
    commands, tried = CommandInput.__new__(CommandInput), []
    commands._next, commands._attempts = 'JointTrajectory', 0

    def subscribe(kind):
        tried.append(kind)
        if len(tried) < 3:
            raise ConfigError("the topic 'command' cannot be subscribed: there is one of another type.")

    monkeypatch.setattr(commands, '_subscribe', subscribe)
    assert [commands._follow() for _ in range(3)] == [False, False, True]
    assert (commands._next, commands._attempts) == ('', 0)

    monkeypatch.setattr(commands, '_subscribe', lambda kind: subscribe(tried.clear() or kind))
    with pytest.raises(ConfigError, match='another type'):
        while True:
            commands._follow()


def test_the_type_that_is_published_is_taken_and_another_one_is_named(ros):
    ros.start('sim_node')
    states = ros.subscribe('sensor_msgs/msg/JointState', 'joint_states')
    ros.until(lambda: len(states) > 2, 'states')
    trajectories = ros.publisher(TYPES['JointTrajectory'], 'command', matched=False)
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')
    held = states[-1].position[0]

    def moved():
        trajectories.publish(message('JointTrajectory', joint_names=['slider'], points=[point(effort=[50.0])]))
        return abs(states[-1].position[0] - held) > 0.05

    ros.until(moved, 'the cart to move')
    assert 'commands are taken as JointTrajectory' in ros.processes[-1].output


def test_a_type_other_than_the_one_asked_for_is_named_with_its_publisher(ros):
    shared = ('command.scale:=[100.0]', 'command.si_confirmed:=true')
    process = ros.start(
        'sim_node', '-p', 'command.type:=geometry_msgs/msg/Twist', '-p', 'command.fields:=[linear.x]',
        *(word for one in shared for word in ('-p', one)),
    )  # fmt: skip
    ros.publisher(TYPES['JointState'], 'command', matched=False)
    words = "'test_peer' publishes sensor_msgs/msg/JointState on '/command', and 'command.type' is Twist"
    ros.until(lambda: words in process.output or process.exit_code is not None, words)
    assert process.exit_code is None
