"""Fields of messages of any type."""

import math
import sys

import pytest

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.reader_registry import TYPES, make_reader, message_class
from velora_ros.nodes.ros.message_types import interface_class

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
    assert list(make_reader(kind, [field]).read(message)) == [2.5]
    assert list(make_reader(kind, [field, field]).read(message)) == [2.5, 2.5]


@pytest.mark.parametrize(('angle', 'axis'), [('roll', 'x'), ('pitch', 'y'), ('yaw', 'z')])
@pytest.mark.parametrize(('kind', 'path'), [('Imu', 'orientation'), ('Odometry', 'pose.pose.orientation')])
def test_a_quaternion_has_angles(kind, path, angle, axis):
    message = turned(message_class(kind)(), path, axis, 0.7)
    angles = make_reader(kind, [f'{path}.{name}' for name in ('roll', 'pitch', 'yaw')]).read(message)
    expected = {'roll': 0.0, 'pitch': 0.0, 'yaw': 0.0, angle: 0.7}
    assert angles == pytest.approx(list(expected.values()))


@pytest.mark.parametrize('length', [0.5, 1.0, 2.0])
@pytest.mark.parametrize(('angle', 'axis'), [('roll', 'x'), ('pitch', 'y'), ('yaw', 'z')])
def test_angles_do_not_depend_on_the_quaternion_s_length(angle, axis, length):
    message = turned(message_class('Imu')(), 'orientation', axis, 0.7)
    for name in ('x', 'y', 'z', 'w'):
        setattr(message.orientation, name, length * getattr(message.orientation, name))
    assert make_reader('Imu', [f'orientation.{angle}']).read(message) == pytest.approx([0.7])


@pytest.mark.parametrize('w', [0.0, math.nan, math.inf])
@pytest.mark.parametrize('angle', ['roll', 'pitch', 'yaw'])
def test_an_invalid_quaternion_has_no_angles(angle, w):
    message = message_class('Imu')()
    message.orientation.w = w
    with pytest.raises(ObservationError, match=r"'orientation' is \(0, 0, 0, .*but a quaternion must have length 1"):
        make_reader('Imu', [f'orientation.{angle}']).read(message)


def test_an_orientation_that_an_imu_declares_unknown_is_not_read():
    message = turned(message_class('Imu')(), 'orientation', 'x', 0.7)
    message.orientation_covariance[0] = -1.0
    assert make_reader('Imu', ['angular_velocity.x', 'angular_velocity.y']).read(message) == (0.0, 0.0)
    for fields in (['orientation.roll'], ['angular_velocity.x', 'orientation.w']):
        with pytest.raises(ObservationError, match='the Imu has no orientation'):
            make_reader('Imu', fields).read(message)


def test_a_vector_s_numbers_go_by_their_index():
    message = message_class('Float64MultiArray')(data=[1.0, 2.0, 3.0])
    assert make_reader('Float64MultiArray', ['2', '0']).read(message) == [3.0, 1.0]
    with pytest.raises(ObservationError, match=r"has 3 values, but 'observation.fields' names index 3"):
        make_reader('Float64MultiArray', ['3']).read(message)


@pytest.mark.parametrize(
    ('kind', 'field', 'message'),
    [
        ('Imu', 'angular_velocity.w', "Did you mean 'angular_velocity.z'"),
        ('Imu', 'orientation_covariance', 'is not a number in a message of type Imu but an array; give an index'),
        ('Odom', 'x', "there is no message type 'Odom' here. Did you mean 'Odometry'"),
        ('my_msgs/msg/Wheels', 'left', "there is no message type 'my_msgs/msg/Wheels' here"),
        ('Float64MultiArray', 'x', 'give the index of a number'),
    ],
)
def test_a_missing_field_or_type_is_refused_with_the_valid_ones(kind, field, message):
    with pytest.raises(ConfigError, match=message):
        make_reader(kind, [field])


def test_every_short_name_is_a_type():
    assert all(message_class(kind) is interface_class(full) for kind, full in TYPES.items())


SCAN = 'sensor_msgs/msg/LaserScan'


def scan(*ranges, range_min=0.1, range_max=3.5):
    return interface_class(SCAN)(ranges=[*map(float, ranges)], range_min=range_min, range_max=range_max)


@pytest.mark.parametrize(
    ('kind', 'fill', 'fields', 'values'),
    [
        (SCAN, {'ranges': [1.0, 2.0, 3.0, 4.0]}, ['ranges[1]', 'ranges[-1]'], [2, 4]),
        (SCAN, {'ranges': [1.0, 2.0, 3.0, 4.0]}, ['ranges[0:2]', 'angle_min', 'ranges[3:0:-2]'], [1, 2, 0, 4, 2]),
        (SCAN, {'ranges': [1.0, 2.0, 3.0, 6.0]}, ['min(ranges)', 'max(ranges[:2])', 'mean(ranges[2:])'], [1, 2, 4.5]),
        (SCAN, {'ranges': [1.0, 2.0, 3.0, 6.0]}, ['min(ranges[-2:], ranges[:1])', 'min( ranges[ 1 : 3 ] )'], [1, 2]),
        ('sensor_msgs/msg/Joy', {'axes': [0.5, -0.5], 'buttons': [0, 1]}, ['axes[1]', 'buttons[0:2]'], [-0.5, 0, 1]),
        ('sensor_msgs/msg/PointCloud2', {'data': bytes([7, 255])}, ['data[1]', 'max(data)'], [255, 255]),
        ('std_msgs/msg/ByteMultiArray', {'data': [b'\x05', b'\xfe']}, ['data[0]', 'data[0:2]'], [5, 5, 254]),
        ('std_msgs/msg/Byte', {'data': b'\x09'}, ['data'], [9]),
        ('rcl_interfaces/msg/ParameterValue', {'bool_array_value': [True, False]}, ['bool_array_value[0:2]'], [1, 0]),
        ('std_msgs/msg/Int32MultiArray', {'data': [-3, 4]}, ['data[0]', 'mean(data)'], [-3, 0.5]),
        ('Float64MultiArray', {'data': [1.0, 2.0, 3.0]}, ['2', 'data[0:2]', 'min(data)'], [3, 1, 2, 1]),
    ],
)
def test_arrays_have_entries_slices_and_reductions(kind, fill, fields, values):
    assert list(make_reader(kind, fields).read(message_class(kind)(**fill))) == pytest.approx(values)


def test_arrays_of_fixed_length_are_known_when_the_node_is_configured():
    odometry = message_class('Odometry')()
    odometry.pose.covariance[7], odometry.pose.covariance[35] = 0.25, 0.5
    read = make_reader('Odometry', ['pose.covariance[7]', 'pose.covariance[-1]', 'pose.covariance[6:8]']).read
    assert list(read(odometry)) == [0.25, 0.5, 0, 0.25]
    with pytest.raises(ConfigError, match=r"beyond the 36 values of 'pose.covariance'; the last is pose.cov"):
        make_reader('Odometry', ['pose.covariance[36]'])
    with pytest.raises(ConfigError, match='gives 6 values, but the policy has 36 observations for it'):
        make_reader('Odometry', ['pose.covariance[30:36:]', 'pose.covariance[30:]'], widths=[6, 36])


def test_paths_lead_through_arrays_of_messages():
    trajectory = message_class('trajectory_msgs/msg/JointTrajectory')()
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')
    trajectory.points = [point(positions=[1.0, 2.0]), point(positions=[3.0, 4.0])]
    fields = ['points[1].positions[0]', 'points[0:2].positions[1]', 'max(points[0].positions)']
    assert list(make_reader('trajectory_msgs/msg/JointTrajectory', fields).read(trajectory)) == [3, 2, 4, 2]
    poses = message_class('geometry_msgs/msg/PoseArray')()
    pose = interface_class('geometry_msgs/msg/Pose')
    poses.poses = [turned(pose(), 'orientation', 'z', angle) for angle in (0.3, -0.4)]
    fields = ['poses[0:2].orientation.yaw', 'poses[-1].orientation.yaw']
    assert list(make_reader('geometry_msgs/msg/PoseArray', fields).read(poses)) == pytest.approx([0.3, -0.4, -0.4])


@pytest.mark.parametrize(
    ('fields', 'ranges', 'message'),
    [
        (
            ['ranges[45]'],
            [1.0] * 30,
            "has 30 values of 'ranges', too few for 'ranges.45.'; correct 'observation.fields'",
        ),
        (['ranges[0:45]'], [1.0] * 30, "has 30 values of 'ranges', but 'ranges.0:45.' needs 45 and finds 30"),
        (['min(ranges[0:45])'], [1.0] * 30, "has 30 values of 'ranges', but 'ranges.0:45.' needs 45 and finds 30"),
        (['ranges[-40]'], [1.0] * 30, "too few for 'ranges.-40.'"),
        (['min(ranges)'], [], "has 0 values of 'ranges', but 'ranges' needs at least one and finds 0"),
        (['mean(ranges[-5:5])'], [1.0] * 30, 'needs at least one and finds 0'),
    ],
)
def test_an_array_that_is_too_short_is_named_with_its_length(fields, ranges, message):
    with pytest.raises(ObservationError, match=message):
        make_reader(SCAN, fields).read(scan(*ranges))


@pytest.mark.parametrize(
    ('field', 'message'),
    [
        ('ranges', r"'ranges' is not a number in a message of type .* but an array; give an index \(ranges\[0\]\)"),
        ('range[0]', r"Did you mean 'ranges\[0\]'"),
        ('angle_min[0]', "reads an element of 'angle_min', which is not an array"),
        ('median(ranges)', "unknown function 'median'.* Valid: max, mean, min"),
        ('ranges[', "'ranges.' is not a field of a message; write for example"),
        ('ranges[]', 'an index without a number'),
        ('ranges[5:3]', 'selects nothing'),
        ('ranges[0:4:0]', 'step 0'),
        ('ranges[0:4][0:2]', 'two slices in one path'),
        ('header', 'is not a number'),
    ],
)
def test_invalid_array_fields_are_refused_with_valid_ones(field, message):
    with pytest.raises(ConfigError, match=message):
        make_reader(SCAN, [field])


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ('field', 'ranges', 'nonfinite', 'values'),
    [
        ('ranges[0]', [INF], '', [3.5]),  # REP 117: nothing within range_max
        ('ranges[0:3]', [INF, 1.0, -INF], '', [3.5, 1.0, 0.1]),
        ('min(ranges)', [INF, INF], '', [3.5]),
        ('mean(ranges)', [INF, 1.5], '', [2.5]),
        ('ranges[0:2]', [NAN, -INF], 'range_max', [3.5, 0.1]),
        ('ranges[0:2]', [NAN, INF], '7.5', [7.5, 7.5]),
        ('min(ranges)', [NAN, 2.0], '3', [2.0]),
        ('intensities[0]', [1.0], '-1', [-1.0]),
    ],
)
def test_values_that_are_not_finite_are_replaced_before_a_reduction(field, ranges, nonfinite, values):
    message = scan(*ranges)
    message.intensities = [NAN]
    assert list(make_reader(SCAN, [field], [nonfinite]).read(message)) == pytest.approx(values)


@pytest.mark.parametrize(
    ('field', 'ranges', 'nonfinite', 'message'),
    [
        ('ranges[0]', [NAN], '', r"'ranges\[0\]' is nan; set 'observation.nonfinite' to its replacement"),
        ('ranges[0]', [INF], 'refuse', r"'ranges\[0\]' is inf"),
        ('min(ranges)', [1.0, NAN], '', r"value 1 of 'min\(ranges\)' is nan"),
        ('intensities[0]', [1.0], '', r"'intensities\[0\]' is inf"),
    ],
)
def test_a_value_that_is_not_finite_is_refused_by_name(field, ranges, nonfinite, message):
    given = scan(*ranges)
    given.intensities = [INF]
    with pytest.raises(ObservationError, match=message):
        make_reader(SCAN, [field], [nonfinite]).read(given)


def test_infinity_in_a_scan_without_a_range_max_is_refused():
    with pytest.raises(ObservationError, match=r"'ranges\[0\]' is inf"):
        make_reader(SCAN, ['ranges[0]']).read(scan(INF, range_max=0.0))
    with pytest.raises(ObservationError, match=r"'ranges\[0\]' is inf"):
        make_reader(SCAN, ['ranges[0]'], ['range_max']).read(scan(INF, range_max=INF))


def test_a_distance_sensor_s_infinity_means_the_same():
    message = message_class('sensor_msgs/msg/Range')(range=INF, min_range=0.2, max_range=4.0)
    assert list(make_reader('sensor_msgs/msg/Range', ['range', 'field_of_view']).read(message)) == [4.0, 0.0]


def test_numbers_outside_arrays_can_be_replaced_too():
    message = message_class('Imu')()
    message.angular_velocity.z = NAN
    fields = ['angular_velocity.z', 'angular_velocity.x']
    assert list(make_reader('Imu', fields, ['2.5', '']).read(message)) == [2.5, 0.0]
    with pytest.raises(ConfigError, match=r"'observation.nonfinite' is 'range_max'; it must be a finite number"):
        make_reader('Imu', fields, ['range_max', ''])


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with its own reader."""
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
def test_a_package_s_own_reader_gets_replaced_infinities_and_arrays_are_read_by_path():
    read = make_reader(SCAN, ['nearest', 'ranges[0]', 'nearest', 'max(ranges[1:3])']).read
    assert list(read(scan(INF, 2.0, INF))) == [2.0, 3.5, 2.0, 3.5]
    assert list(make_reader(SCAN, ['nearest']).read(scan(INF, INF))) == [3.5]
    assert list(make_reader(SCAN, ['nearest'], ['refuse']).read(scan(INF, INF))) == [INF]
    assert list(make_reader(SCAN, ['nearest'], ['9']).read(scan(NAN))) == [9.0]


@pytest.mark.usefixtures('package')
def test_a_package_s_own_reader_reads_fields_that_no_path_reaches():
    scan = interface_class('sensor_msgs/msg/LaserScan')
    read = make_reader('sensor_msgs/msg/LaserScan', ['nearest']).read
    assert read(scan(ranges=[3.0, 1.5])) == [1.5]
    with pytest.raises(ObservationError, match='the reader of sensor_msgs/msg/LaserScan failed on a message'):
        read(scan())


@pytest.mark.usefixtures('package')
@pytest.mark.parametrize('field', ['none', 'number', 'text', 'table'])
def test_a_package_s_own_reader_must_return_numbers(field):
    read = make_reader('sensor_msgs/msg/LaserScan', [field]).read
    with pytest.raises(ObservationError, match='the reader of sensor_msgs/msg/LaserScan failed on a message'):
        read(interface_class('sensor_msgs/msg/LaserScan')())
