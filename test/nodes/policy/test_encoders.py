"""Messages of commands, of every type."""

import pytest
from rclpy.serialization import deserialize_message
from std_msgs.msg import Float64MultiArray

from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.encoders import interface_of, make_encoder
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

JOINTS = ('elbow/position', 'wrist/position')
MIXED = ('elbow/position', 'wrist/effort')
UNNAMED = ('action_0', 'action_1')
COMMAND = [0.25, -0.5]
NOW = 5_000_000_007


def spec(names):
    return PolicySpec(('obs_0',), ('',), names, ('', ''), (-1.0, -1.0), (1.0, 1.0), 0.02)


def write(kind, names, *, interface='', fields=(), frame_id=''):
    encoder = make_encoder(kind, spec(names), interface=interface, fields=fields, frame_id=frame_id, now=lambda: NOW)
    message = encoder.encode(COMMAND)
    return deserialize_message(message, Float64MultiArray) if isinstance(message, bytes) else message


@pytest.mark.parametrize('names', [JOINTS, MIXED, UNNAMED])
def test_a_vector_has_the_policy_s_order_or_the_one_that_is_asked_for(names):
    assert list(write('Float64MultiArray', names).data) == [0.25, -0.5]
    assert list(write('Float64MultiArray', names, fields=('1', '0')).data) == [-0.5, 0.25]


@pytest.mark.parametrize('interface', ['position', 'velocity', 'effort'])
def test_a_joint_state_names_the_joints_and_says_what_is_commanded(interface):
    message = write('JointState', UNNAMED, interface=interface, fields=('elbow', 'wrist'), frame_id='base')
    assert message.name == ['elbow', 'wrist']
    assert list(getattr(message, interface)) == [0.25, -0.5]
    assert sum(len(getattr(message, other)) for other in ('position', 'velocity', 'effort')) == 2
    assert (message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id) == (5, 7, 'base')


def test_a_trajectory_has_one_point_one_period_from_now():
    message = write('JointTrajectory', JOINTS)
    (point,) = message.points
    assert message.joint_names == ['elbow', 'wrist']
    assert list(point.positions) == [0.25, -0.5] and not len(point.velocities)
    assert (point.time_from_start.sec, point.time_from_start.nanosec) == (0, 20_000_000)
    assert message.header.stamp.sec == 0, 'now, by the clock of the controller'


def test_a_twist_is_filled_by_the_names_of_its_parts():
    message = write('Twist', UNNAMED, fields=('linear.x', 'angular.z'))
    assert (message.linear.x, message.angular.z, message.linear.y) == (0.25, -0.5, 0.0)
    stamped = write('TwistStamped', ('angular.z', 'linear.x'), frame_id='base')
    assert (stamped.twist.linear.x, stamped.twist.angular.z) == (-0.5, 0.25)
    assert (stamped.header.stamp.sec, stamped.header.frame_id) == (5, 'base')


@pytest.mark.parametrize(
    ('kind', 'names', 'fields', 'message'),
    [
        (
            'Float64MultiArray',
            JOINTS,
            ('0',),
            "'command.fields' has 1 entries, but the number of actions is 2: elbow/pos",
        ),
        ('Float64MultiArray', JOINTS, ('0', '2'), 'each of 0 to 1 once'),
        ('Float64MultiArray', JOINTS, ('elbow', 'wrist'), 'each of 0 to 1 once'),
        ('Twist', UNNAMED, (), "'action_0' is not a component of a Twist"),
        ('Twist', UNNAMED, ('linear.x', 'angular.w'), r"Did you mean 'angular\.z'"),
        ('Twist', UNNAMED, ('linear.x', 'linear.x'), 'repeats linear.x'),
        (
            'JointState',
            UNNAMED,
            (),
            "action_0, action_1 do not name a joint: .* in 'command.fields', and 'command.scale'",
        ),
        ('JointTrajectory', UNNAMED, (), 'a JointTrajectory commands joints, but'),
        ('JointTrajectory', ('action_0', 'b/position'), (), "the policy's action_0 does not name a joint"),
        ('JointState', UNNAMED, ('elbow', 'wrist'), 'the interfaces are unknown'),
        ('JointTrajectory', MIXED, (), 'the interfaces are effort, position'),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(kind, names, fields, message):
    with pytest.raises(ConfigError, match=message):
        write(kind, names, fields=fields)


def test_the_meaning_comes_from_parameter_fields_or_type_and_these_must_agree():
    assert interface_of('Float64MultiArray', '', ()) == ''
    assert interface_of('JointState', '', ('elbow/effort',)) == 'effort'
    assert interface_of('JointState', 'position', ('elbow',)) == 'position'
    assert interface_of('Twist', '', ('linear.x',)) == 'velocity'
    with pytest.raises(ConfigError, match='mean effort and velocity'):
        interface_of('Twist', 'effort', ())


def test_every_command_type_has_an_encoder():
    fields = {'Twist': ('linear.x', 'angular.z'), 'TwistStamped': ('linear.x', 'angular.z')}
    assert all(write(kind, JOINTS, fields=fields.get(kind, ())) is not None for kind in COMMAND_TYPES)


@pytest.mark.parametrize('names', [UNNAMED, ('gripper', 'wrist/effort')])
def test_a_vector_of_joint_commands_is_refused_too_where_an_action_is_unknown(names):
    with pytest.raises(ConfigError, match=r"'command\.interface' is effort, but the policy's .* not name a joint"):
        write('Float64MultiArray', names, interface='effort')
    assert list(write('Float64MultiArray', names, interface='effort', fields=('1', '0')).data) == [-0.5, 0.25]
    assert list(write('Float64MultiArray', names).data) == [0.25, -0.5], 'which claims nothing'
