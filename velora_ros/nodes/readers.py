"""
From a message to the numbers that ``observation.fields`` name; the other half of :mod:`velora_ros.nodes.conversions`.

A field is the path of a number inside the message, for every message type that there is: ``angular_velocity.z`` of an
Imu, ``twist.twist.linear.x`` of an Odometry. A quaternion also has the angles ``roll``, ``pitch`` and ``yaw`` [rad].
The numbers of a Float64MultiArray go by their index. What a message says that it does not know (a first covariance of
-1, as in an Imu without orientation) is not read.

What such a path cannot reach takes one function of your own::

    def nearest(fields: Sequence[str]) -> Callable[[LaserScan], Sequence[float]]:
        return lambda message: [min(message.ranges)]

It is given the fields and returns what is called with each message and returns one number for each field; it raises
ConfigError for fields that it does not know. Your package offers it as an entry point of the group
``velora_ros.readers`` under the type's name: ``sensor_msgs/msg/LaserScan = my_robot.readers:nearest``.
"""

import importlib.metadata
import math
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from velora_ros.control.sources import JOINTS, VECTOR
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.interfaces import interface_class
from velora_ros.nodes.message_types import canonical_type

Reader = Callable[[Any], Sequence[float]]

ENTRY_POINTS = 'velora_ros.readers'
# Short names of the types that robots mostly use; any other is given in full.
TYPES = {
    JOINTS: 'sensor_msgs/msg/JointState',
    'Imu': 'sensor_msgs/msg/Imu',
    'Odometry': 'nav_msgs/msg/Odometry',
    'Twist': 'geometry_msgs/msg/Twist',
    'TwistStamped': 'geometry_msgs/msg/TwistStamped',
    VECTOR: 'std_msgs/msg/Float64MultiArray',
}
_NUMBERS = ('double', 'float', 'boolean', 'int', 'uint')
_QUATERNION = 'geometry_msgs/Quaternion'
_ANGLES = ('roll', 'pitch', 'yaw')
_COVARIANCE = '_covariance'
# A quaternion shorter than this, squared, is no orientation; most often it was never filled in.
_SHORTEST = 1e-6


def message_class(kind: str) -> Any:
    """
    Return the class of a type, by its short or full name.

    Raises:
        ConfigError: there is no such type here.
    """
    name = canonical_type(kind, TYPES)
    try:
        return interface_class(TYPES.get(name, name))
    except (ValueError, ImportError, AttributeError) as error:
        raise ConfigError(
            f"there is no message type '{kind}' here.{did_you_mean(kind, TYPES)} Or any type that is installed and "
            'sourced, as my_msgs/Wheels or my_msgs/msg/Wheels.'
        ) from error


def make_reader(kind: str, fields: Sequence[str]) -> Reader:
    """
    Return the function that reads the fields of a message, one number for each.

    Args:
        kind: the message type, by its short or full name.
        fields: what to read.

    Raises:
        ConfigError: there is no such type or field; the message says what there is.
    """
    message = message_class(kind)
    kind = canonical_type(kind, TYPES)
    if kind == VECTOR:
        return _vector_reader(fields)
    if kind not in TYPES:
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=kind):
            return _guarded(entry.load()(fields), kind)
    return _path_reader(kind, message, fields)


def _guarded(read: Reader, kind: str) -> Reader:
    """Make whatever goes wrong in somebody else's function a message that cannot be used."""

    def guarded(message: Any) -> Sequence[float]:
        try:
            return [float(number) for number in read(message)]
        except Exception as error:
            raise ObservationError(f'the reader of {kind} failed on a message: {error!r}.') from error

    return guarded


def _vector_reader(fields: Sequence[str]) -> Reader:
    for field in fields:
        if not field.isdecimal():
            raise ConfigError(f"'{field}' is no field of a {VECTOR}; its numbers go by their index: 0, 1, 2, ...")
    indices = [int(field) for field in fields]
    needed = max(indices) + 1

    def read(message: Any) -> Sequence[float]:
        if len(message.data) < needed:
            raise ObservationError(f'a {VECTOR} has {len(message.data)} values, and number {needed - 1} is to be read.')
        return [message.data[index] for index in indices]

    return read


def _path_reader(kind: str, message: Any, fields: Sequence[str]) -> Reader:
    known = dict(_numbers(message))
    for field in fields:
        if field not in known:
            raise ConfigError(f"'{field}' is no number in a message of type {kind}.{did_you_mean(field, known)}")
    read: Reader
    if len(fields) > 1 and not any(map(known.get, fields)):
        read = attrgetter(*fields)
    else:
        getters = [known[field] or attrgetter(field) for field in fields]

        def read(message: Any) -> Sequence[float]:
            return [get(message) for get in getters]

    parts = dict.fromkeys(field.split('.')[0] for field in fields)
    uncertain = [part for part in parts if hasattr(message, f'{part}{_COVARIANCE}')]
    return _knowing(read, kind, uncertain) if uncertain else read


def _knowing(read: Reader, kind: str, parts: Sequence[str]) -> Reader:
    """Refuse messages that say of one of these parts that it is not known; sensor_msgs/Imu has the rule."""
    covariances = [(part, attrgetter(f'{part}{_COVARIANCE}')) for part in parts]

    def knowing(message: Any) -> Sequence[float]:
        for part, covariance in covariances:
            if covariance(message)[0] == -1:
                raise ObservationError(f'the {kind} has no {part}: its first covariance is -1, which says so.')
        return read(message)

    return knowing


def _numbers(message: Any, path: str = '') -> Iterator[tuple[str, Callable[[Any], float] | None]]:
    """Return the paths of all numbers in a message, with a function for those that are no field of it."""
    for name, kind in message.get_fields_and_field_types().items():
        if kind.startswith(_NUMBERS) and '[' not in kind:
            yield path + name, None
        elif '/' in kind and '[' not in kind and '<' not in kind and name != 'header':
            yield from _numbers(interface_class(kind.replace('/', '/msg/')), f'{path}{name}.')
        if kind == _QUATERNION:
            for angle in _ANGLES:
                yield f'{path}{name}.{angle}', _angle_of(path + name, angle)


def _angle_of(path: str, angle: str) -> Callable[[Any], float]:
    get, compute = attrgetter(path), {'roll': _roll, 'pitch': _pitch, 'yaw': _yaw}[angle]

    def read(message: Any) -> float:
        q = get(message)
        square = q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z
        if not _SHORTEST <= square < math.inf:  # NaN neither
            raise ObservationError(
                f"'{path}' is ({q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}), which is no orientation: x, y, z and w of one have "
                'length 1.'
            )
        return compute(q, square)

    return read


# REP 103: roll about x, pitch about y, yaw about z, turned about fixed axes in this order [rad]. A quaternion
# need not have length 1 exactly: `square` is that of its length, and atan2 cares for the ratio of its arguments only.


def _roll(q: Any, square: float) -> float:
    return math.atan2(2 * (q.w * q.x + q.y * q.z), square - 2 * (q.x * q.x + q.y * q.y))


def _pitch(q: Any, square: float) -> float:
    return math.asin(max(-1.0, min(1.0, 2 * (q.w * q.y - q.z * q.x) / square)))


def _yaw(q: Any, square: float) -> float:
    return math.atan2(2 * (q.w * q.z + q.x * q.y), square - 2 * (q.y * q.y + q.z * q.z))
