"""Numbers out of messages of any type."""

import math
import sys

import pytest

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.interfaces import interface_class
from velora_ros.nodes.readers import TYPES, make_reader, message_class

pytestmark = pytest.mark.ros


def turned(message, path, axis, angle):
    """Turn a message's quaternion about one axis."""
    quaternion = message
    for name in path.split('.'):
        quaternion = getattr(quaternion, name)
    setattr(quaternion, axis, math.sin(angle / 2))
    quaternion.w = math.cos(angle / 2)
    return message


@pytest.mark.parametrize(
    ('kind', 'field'),
    [
        ('Imu', 'angular_velocity.z'),
        ('Imu', 'linear_acceleration.x'),
        ('Odometry', 'pose.pose.position.y'),
        ('Odometry', 'twist.twist.linear.x'),
        ('Twist', 'angular.z'),
        ('TwistStamped', 'twist.linear.x'),
        ('std_msgs/msg/Float64', 'data'),
    ],
)
def test_a_field_is_the_path_of_a_number_in_the_message(kind, field):
    message = message_class(kind)()
    *parents, name = field.split('.')
    target = message
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, name, 2.5)
    assert list(make_reader(kind, [field])(message)) == [2.5]
    assert list(make_reader(kind, [field, field])(message)) == [2.5, 2.5]


@pytest.mark.parametrize(('angle', 'axis'), [('roll', 'x'), ('pitch', 'y'), ('yaw', 'z')])
@pytest.mark.parametrize(('kind', 'path'), [('Imu', 'orientation'), ('Odometry', 'pose.pose.orientation')])
def test_a_quaternion_has_angles(kind, path, angle, axis):
    message = turned(message_class(kind)(), path, axis, 0.7)
    angles = make_reader(kind, [f'{path}.{name}' for name in ('roll', 'pitch', 'yaw')])(message)
    expected = {'roll': 0.0, 'pitch': 0.0, 'yaw': 0.0, angle: 0.7}
    assert angles == pytest.approx(list(expected.values()))


@pytest.mark.parametrize('length', [0.5, 1.0, 2.0])
@pytest.mark.parametrize(('angle', 'axis'), [('roll', 'x'), ('pitch', 'y'), ('yaw', 'z')])
def test_angles_do_not_depend_on_the_quaternion_s_length(angle, axis, length):
    message = turned(message_class('Imu')(), 'orientation', axis, 0.7)
    for name in ('x', 'y', 'z', 'w'):
        setattr(message.orientation, name, length * getattr(message.orientation, name))
    assert make_reader('Imu', [f'orientation.{angle}'])(message) == pytest.approx([0.7])


@pytest.mark.parametrize('w', [0.0, math.nan, math.inf])
@pytest.mark.parametrize('angle', ['roll', 'pitch', 'yaw'])
def test_what_is_no_orientation_has_no_angle(angle, w):
    message = message_class('Imu')()
    message.orientation.w = w
    with pytest.raises(ObservationError, match=r"'orientation' is \(0, 0, 0, .*which is no orientation"):
        make_reader('Imu', [f'orientation.{angle}'])(message)


def test_what_an_imu_says_that_it_does_not_know_is_not_read():
    message = turned(message_class('Imu')(), 'orientation', 'x', 0.7)
    message.orientation_covariance[0] = -1.0
    assert make_reader('Imu', ['angular_velocity.x', 'angular_velocity.y'])(message) == (0.0, 0.0)
    for fields in (['orientation.roll'], ['angular_velocity.x', 'orientation.w']):
        with pytest.raises(ObservationError, match='the Imu has no orientation'):
            make_reader('Imu', fields)(message)


def test_a_vector_s_numbers_go_by_their_index():
    message = message_class('Float64MultiArray')(data=[1.0, 2.0, 3.0])
    assert make_reader('Float64MultiArray', ['2', '0'])(message) == [3.0, 1.0]
    with pytest.raises(ObservationError, match='has 3 values, and number 3'):
        make_reader('Float64MultiArray', ['3'])(message)


@pytest.mark.parametrize(
    ('kind', 'field', 'message'),
    [
        ('Imu', 'angular_velocity.w', "Did you mean 'angular_velocity.z'"),
        ('Imu', 'orientation_covariance', 'is no number in a message of type Imu'),
        ('Odom', 'x', "there is no message type 'Odom' here. Did you mean 'Odometry'"),
        ('my_msgs/msg/Wheels', 'left', "there is no message type 'my_msgs/msg/Wheels' here"),
        ('Float64MultiArray', 'x', 'its numbers go by their index'),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(kind, field, message):
    with pytest.raises(ConfigError, match=message):
        make_reader(kind, [field])


def test_every_short_name_is_a_type():
    assert all(message_class(kind) is interface_class(full) for kind, full in TYPES.items())


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Somebody's installed package with a reader of its own."""
    (tmp_path / 'my_robot_readers.py').write_text(
        'WRONG = {"none": None, "number": 1.5, "text": ["x"], "table": [[1.0, 2.0]]}\n'
        'def nearest(fields):\n'
        '    if fields[0] in WRONG:\n'
        '        return lambda message: WRONG[fields[0]]\n'
        '    return lambda message: [min(message.ranges) for field in fields]\n'
    )
    info = tmp_path / 'my_robot-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: my_robot\nVersion: 1.0\n')
    (info / 'entry_points.txt').write_text(
        '[velora_ros.readers]\nsensor_msgs/msg/LaserScan = my_robot_readers:nearest\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop('my_robot_readers', None)


@pytest.mark.usefixtures('package')
def test_another_package_may_read_what_no_path_reaches():
    scan = interface_class('sensor_msgs/msg/LaserScan')
    read = make_reader('sensor_msgs/msg/LaserScan', ['nearest'])
    assert read(scan(ranges=[3.0, 1.5])) == [1.5]
    with pytest.raises(ObservationError, match='the reader of sensor_msgs/msg/LaserScan failed on a message'):
        read(scan())


@pytest.mark.usefixtures('package')
@pytest.mark.parametrize('field', ['none', 'number', 'text', 'table'])
def test_what_another_package_s_reader_returns_must_be_numbers(field):
    read = make_reader('sensor_msgs/msg/LaserScan', [field])
    with pytest.raises(ObservationError, match='the reader of sensor_msgs/msg/LaserScan failed on a message'):
        read(interface_class('sensor_msgs/msg/LaserScan')())
