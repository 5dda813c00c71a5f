"""Definitions of message types as other programs read them."""

import pytest
from mcap_ros2._dynamic import generate_dynamic
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, JointState

from velora_ros.nodes.record.message_definitions import definition_of_fields, message_definition, used_types
from velora_ros.nodes.ros.message_types import interface_class

KINDS = (
    'sensor_msgs/msg/JointState', 'sensor_msgs/msg/Imu', 'sensor_msgs/msg/LaserScan', 'nav_msgs/msg/Odometry',
    'std_msgs/msg/Float64MultiArray', 'std_msgs/msg/Empty', 'geometry_msgs/msg/TwistStamped',
    'trajectory_msgs/msg/JointTrajectory', 'diagnostic_msgs/msg/DiagnosticArray', 'lifecycle_msgs/msg/TransitionEvent',
)  # fmt: skip


def test_a_definition_has_every_type_that_it_uses_once():
    assert used_types('sensor_msgs/msg/JointState') == ['std_msgs/msg/Header', 'builtin_interfaces/msg/Time']
    text = message_definition('nav_msgs/msg/Odometry')
    assert text.count('MSG: geometry_msgs/Point\n') == 1
    assert 'MSG: geometry_msgs/PoseWithCovariance\n' in text


def test_constants_of_the_message_file_are_kept():
    assert 'byte WARN=1' in message_definition('diagnostic_msgs/msg/DiagnosticArray')


@pytest.mark.parametrize('kind', KINDS)
def test_a_reader_without_ros_decodes_messages_by_their_definition(kind):
    message = interface_class(kind)()
    decoded = generate_dynamic(kind, message_definition(kind))[kind](serialize_message(message))
    for field in message.get_fields_and_field_types():
        assert hasattr(decoded, field)


def test_numbers_arrive_as_they_were_sent():
    message = JointState(name=['a', 'b'], position=[1.5, -2.0])
    kind = 'sensor_msgs/msg/JointState'
    decoded = generate_dynamic(kind, message_definition(kind))[kind](serialize_message(message))
    assert (decoded.name, list(decoded.position), list(decoded.velocity)) == (['a', 'b'], [1.5, -2.0], [])


def test_a_definition_made_from_the_fields_means_the_same():
    text = definition_of_fields(Imu)
    assert 'float64[9] orientation_covariance' in text
    assert 'std_msgs/Header header' in text
    assert definition_of_fields(JointState).splitlines()[1:] == [
        'string[] name', 'float64[] position', 'float64[] velocity', 'float64[] effort',
    ]  # fmt: skip
