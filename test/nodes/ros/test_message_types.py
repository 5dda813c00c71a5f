"""Every spelling of a message type is converted to the same one."""

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.decoding import reader_registry
from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.ros import message_types
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import canonical_type

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ('spellings', 'name'),
    [
        (('TwistStamped', 'geometry_msgs/TwistStamped', 'geometry_msgs/msg/TwistStamped'), 'TwistStamped'),
        (('geometry_msgs.msg.TwistStamped', 'geometry_msgs::msg::TwistStamped', ' TwistStamped '), 'TwistStamped'),
        (('PoseStamped', 'geometry_msgs/PoseStamped'), 'geometry_msgs/msg/PoseStamped'),
        (('LaserScan', 'sensor_msgs/LaserScan', 'sensor_msgs/msg/LaserScan'), 'sensor_msgs/msg/LaserScan'),
        (('sensor_msgs/JointState', 'sensor_msgs/msg/JointState'), 'JointState'),
        (('my_msgs/Wheels', 'my_msgs/msg/Wheels'), 'my_msgs/msg/Wheels'),
    ],
)
def test_every_spelling_of_a_type_is_the_same_type(spellings, name):
    assert {canonical_type(spelling, reader_registry.TYPES) for spelling in spellings} == {name}


@pytest.mark.parametrize('spelling', ['Bogus', 'geometry_msgs/srv/Pose', '/', ''])
def test_an_unknown_type_is_returned_unchanged_and_refused_later(spelling):
    assert canonical_type(spelling, reader_registry.TYPES) == spelling
    with pytest.raises(ConfigError, match='there is no message type'):
        reader_registry.message_class(spelling)


@pytest.mark.parametrize('prefixes', [None, '', '/nowhere'])
def test_packages_installed_with_pip_are_found_without_a_sourced_ros(monkeypatch, prefixes):
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    if prefixes is not None:
        monkeypatch.setenv('AMENT_PREFIX_PATH', prefixes)
    message_types._packages_with.cache_clear()
    assert canonical_type('PoseStamped', reader_registry.TYPES) == 'geometry_msgs/msg/PoseStamped'
    assert canonical_type('TwistStampd', COMMAND_TYPES) == 'TwistStampd'
    message_types._packages_with.cache_clear()


def test_a_short_name_that_several_packages_have_is_refused_with_all_of_them(monkeypatch):
    monkeypatch.setattr(message_types, '_packages_with', lambda name: ('left_msgs', 'right_msgs'))
    with pytest.raises(ConfigError, match='left_msgs/msg/Wheels, right_msgs/msg/Wheels'):
        canonical_type('Wheels', {})


@pytest.mark.parametrize('spelling', ['PoseStamped', 'geometry_msgs/PoseStamped', 'geometry_msgs/msg/PoseStamped'])
def test_a_reader_takes_every_spelling(spelling):
    message = reader_registry.message_class(spelling)()
    message.pose.position.z = 1.5
    assert list(reader_registry.make_reader(spelling, ['pose.position.z']).read(message)) == [1.5]


@pytest.mark.parametrize('name', ['command.type', 'observation.joints.type', 'observation.odom.type'])
@pytest.mark.parametrize('kind', ['Twist', 'geometry_msgs/Twist', 'geometry_msgs/msg/Twist'])
def test_every_type_parameter_takes_every_spelling(name, kind):
    row = {row.name: row for row in parameters(['odom'])}[name]
    assert row.check(kind) == 'Twist'


@pytest.mark.parametrize('kind', sorted(COMMAND_TYPES.values()))
def test_every_command_type_is_known_by_its_full_name(kind):
    row = {row.name: row for row in parameters(None)}['command.type']
    assert COMMAND_TYPES[row.check(kind)] == kind
    assert row.check(kind.replace('/msg/', '/')) == row.check(kind)
