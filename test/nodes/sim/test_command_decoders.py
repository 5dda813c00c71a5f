"""sim_node takes every command type that policy_node sends, so that a robot's parameter file can be rehearsed."""

import pytest
from rclpy.serialization import deserialize_message

from velora_ros.errors import ConfigError, SpecError
from velora_ros.nodes.policy.encoders import make_encoder
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.sim.command_decoders import make_command_decoder
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros


def spec(*actions):
    n = len(actions)
    return PolicySpec(('a/position',), ('rad',), actions, ('',) * n, (-9.0,) * n, (9.0,) * n, 0.04)


ARM = spec('shoulder/position', 'elbow/position')
WHEELS = spec('action_0', 'action_1')


def decoder(kind, robot, *fields, interface=''):
    return make_command_decoder(kind, robot, interface=interface, fields=fields)


def message(kind, **fields):
    return interface_class(COMMAND_TYPES[kind])(**fields)


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
def test_a_command_that_policy_node_encodes_is_decoded_to_the_same_values(kind, robot, fields, interface):
    encoder = make_encoder(kind, robot, interface=interface, fields=fields, frame_id='', now=lambda: 0)
    sent = encoder.encode([0.5, -1.5])
    if isinstance(sent, bytes):
        sent = deserialize_message(sent, interface_class(COMMAND_TYPES[kind]))
    assert decoder(kind, robot, *fields, interface=interface).decode(sent).tolist() == [0.5, -1.5]


@pytest.mark.parametrize('fields', [(), ('elbow', 'shoulder')])
def test_joints_are_matched_by_name_in_any_order(fields):
    sent = message('JointState', name=['elbow', 'shoulder'], position=[1.0, 2.0])
    assert decoder('JointState', ARM, *fields).decode(sent).tolist() == [2.0, 1.0]


def test_the_first_point_of_a_trajectory_is_the_command():
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')
    sent = message('JointTrajectory', joint_names=['elbow', 'shoulder'], points=[point(positions=[1, 2]), point()])
    assert decoder('JointTrajectory', ARM).decode(sent).tolist() == [2.0, 1.0]


def test_a_trajectory_of_positions_may_have_velocities():
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')
    sent = message('JointTrajectory', joint_names=['b', 'a'], points=[point(positions=[1, 2], velocities=[3, 4])])
    assert decoder('JointTrajectory', WHEELS, 'a', 'b').decode(sent).tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ('kind', 'fields', 'words'),
    [
        ('JointState', {'name': ['elbow'], 'position': [1.0]}, 'lacks shoulder; .* needs exactly shoulder, elbow'),
        ('JointState', {'name': ['elbow', 'wrist'], 'position': [1.0, 2.0]}, 'lacks shoulder and has wrist'),
        ('JointState', {'name': ['elbow', 'shoulder'], 'effort': [1.0, 2.0]}, '2 values of effort for 2 joints; '),
        ('JointState', {'name': ['elbow', 'shoulder'], 'position': [1.0]}, '1 values of position for 2 joints'),
        ('JointState', {'name': ['elbow', 'elbow', 'shoulder'], 'position': [1.0] * 3}, 'names a joint twice'),
        ('JointTrajectory', {'joint_names': ['elbow', 'shoulder']}, 'has no points'),
    ],
)
def test_a_message_that_does_not_fit_the_robot_is_refused_with_what_fits(kind, fields, words):
    with pytest.raises(SpecError, match=words):
        decoder(kind, ARM).decode(message(kind, **fields))


@pytest.mark.parametrize(
    ('kind', 'robot', 'fields', 'words'),
    [
        ('JointState', ARM, ('elbow', 'wrist'), 'has wrist, but the simulated robot drives'),
        (
            'JointState',
            WHEELS,
            (),
            "the simulated robot's actions action_0, action_1 do not name joints; give the joint",
        ),
        ('Twist', WHEELS, (), "'action_0' is not a component of a Twist"),
        ('Twist', WHEELS, ('linear.x', 'angular.w'), "Did you mean 'angular."),
        ('JointTrajectory', ARM, ('elbow',), "'command.fields' has 1 entries, but the number of actions is 2"),
    ],
)
def test_fields_that_do_not_fit_the_robot_are_refused_at_the_start(kind, robot, fields, words):
    with pytest.raises(ConfigError, match=words):
        decoder(kind, robot, *fields)


LAYOUT = ('velocity', 'position', 'stiffness', 'damping')


def blocks(*values, layout=LAYOUT):
    decode = make_command_decoder('Float64MultiArray', ARM, interface='', fields=(), layout=layout)
    sent = message('Float64MultiArray', data=[float(value) for value in values])
    return decode.decode(sent).tolist(), decode.gains(sent)


def test_blocks_carry_the_command_and_the_gains_of_its_servos():
    command, gains = blocks(0, 0, 0.5, -1.5, 20, 30, 0.5, 0.7)
    assert command == [0.5, -1.5]
    assert (gains.stiffness.tolist(), gains.damping.tolist()) == ([20, 30], [0.5, 0.7])
    command, gains = blocks(1, 2, 0.1, 0.2, layout=('damping', 'position'))
    assert (command, gains.stiffness, gains.damping.tolist()) == ([0.1, 0.2], None, [1, 2])


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ((0, 0, 0.5, -1.5), 'the command has 4 values, but .* it must have 8: 2 in each block'),
        (
            (0, 1, 0.5, -1.5, 20, 30, 0.5, 0.7),
            "the block 'velocity' of a command is .*; it must be zero",
        ),
        ((0, 0, 0.5, -1.5, 20, -30, 0.5, 0.7), "the block 'stiffness' of a command is .*; gains must be at least 0"),
        ((0, 0, 0.5, -1.5, 20, 30, 0.5, float('nan')), "the block 'damping' of a command is .*; gains must be"),
    ],
)
def test_blocks_that_do_not_fit_the_robot_are_refused(values, words):
    with pytest.raises(SpecError, match=words):
        blocks(*values)


@pytest.mark.parametrize(
    ('layout', 'words'),
    [
        (('position', 'stifness'), "Did you mean 'stiffness'"),
        (('velocity', 'damping'), "include 'position', the block of the command itself"),
        (('position', 'position'), 'each block at most once'),
    ],
)
def test_a_layout_that_does_not_fit_the_robot_is_refused_at_the_start(layout, words):
    with pytest.raises(ConfigError, match=words):
        blocks(0, 0, layout=layout)


def test_without_an_interface_the_only_filled_field_is_the_command():
    decode = decoder('JointState', WHEELS, 'left', 'right').decode
    assert decode(message('JointState', name=['left', 'right'], velocity=[1.0, 2.0])).tolist() == [1.0, 2.0]
    with pytest.raises(SpecError, match='either position, velocity or effort'):
        decode(message('JointState', name=['left', 'right'], velocity=[1.0, 2.0], effort=[1.0, 2.0]))
