"""
Reads the numbers that ``observation.fields`` name from a message.

A field is the path to a number in the message, for every message type: ``angular_velocity.z`` of an Imu,
``twist.twist.linear.x`` of an Odometry, ``ranges[0]`` of a LaserScan, ``transforms[0].transform.translation.x``. A
slice such as ``ranges[0:360]`` gives one observation for each of its elements; ``min``, ``max`` or ``mean`` of a slice
gives one. :mod:`velora_ros.contract.fields` has the syntax. A quaternion also has the angles ``roll``, ``pitch`` and
``yaw`` [rad]. The numbers of a Float64MultiArray may be given by their index alone. A message is refused if it declares
a value that is read as unknown, by a first covariance of -1, as in an Imu without orientation.

A value that is not finite makes the message unusable, unless ``observation.nonfinite`` gives its replacement. In the
ranges of LaserScan and Range, infinity has a meaning (REP 117): inf means "nothing within range_max" and is read as
``range_max``; -inf means "closer than range_min" and is read as ``range_min``.

For values that no path reaches, write one function::

    def nearest(fields: Sequence[str]) -> Callable[[LaserScan], Sequence[float]]:
        return lambda message: [min(message.ranges)]

It takes the fields and returns a function, which is called with each message and returns one number for each field. It
raises ConfigError for fields that it does not support. Your package provides it as an entry point of the group
``velora_ros.readers`` under the name of the type: ``sensor_msgs/msg/LaserScan = my_robot.readers:nearest``. Fields with
an index, a slice or a reduction that exist in the message are still read by their path.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from velora_ros.contract.fields import parse, width_of
from velora_ros.contract.source_plan import JOINTS
from velora_ros.contract.sources import REFUSE, VECTOR
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.policy.decoding.field_reader import Numbers, Reader, WantedField, make_field_reader
from velora_ros.nodes.policy.decoding.message_paths import Kind, find_way, numbers_of
from velora_ros.nodes.policy.decoding.nonfinite import fill_scan, has_ranges, make_filler
from velora_ros.nodes.policy.decoding.sector_reader import LASER_SCAN, SectorReader, is_sector
from velora_ros.nodes.ros.message_types import canonical_type, interface_class

OwnReader = Callable[[Sequence[str]], Callable[[Any], Numbers]]
"""A user's function that returns a reader of the given fields."""

ENTRY_POINTS = 'velora_ros.readers'
# Short names of the most common types; others are given in full.
TYPES = {
    JOINTS: 'sensor_msgs/msg/JointState',
    'Imu': 'sensor_msgs/msg/Imu',
    'Odometry': 'nav_msgs/msg/Odometry',
    'Twist': 'geometry_msgs/msg/Twist',
    'TwistStamped': 'geometry_msgs/msg/TwistStamped',
    VECTOR: 'std_msgs/msg/Float64MultiArray',
}


# Fields that some types have at a different place.
_POSE, _POINT = 'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/PointStamped'
_PLACES = {
    'position': {_POSE: 'pose.position', _POINT: 'point', 'Odometry': 'pose.pose.position'},
    'orientation': {_POSE: 'pose.orientation', 'Odometry': 'pose.pose.orientation'},
    'linear': {'TwistStamped': 'twist.linear', 'Odometry': 'twist.twist.linear'},
    'angular': {'TwistStamped': 'twist.angular', 'Odometry': 'twist.twist.angular'},
}


def message_class(kind: str) -> Any:
    """
    Return the class of a message type, given by its short or full name.

    Raises:
        ConfigError: no such type is installed.
    """
    name = canonical_type(kind, TYPES)
    try:
        return interface_class(TYPES.get(name, name))
    except (ValueError, ImportError, AttributeError) as error:
        raise ConfigError(
            f"there is no message type '{kind}' here.{did_you_mean(kind, TYPES)} Any other type that is installed "
            'and sourced is valid too, such as my_msgs/Wheels or my_msgs/msg/Wheels.'
        ) from error


def has_number(kind: str, path: str) -> bool:
    """Return whether a message type has a number at a path such as ``twist.linear.x``; arrays are not searched."""
    return path in numbers_of(message_class(kind))


def make_reader(
    kind: str,
    fields: Sequence[str],
    nonfinite: Sequence[str] = (),
    widths: Sequence[int] = (),
    *,
    zero_is_far: bool = False,
) -> Reader:
    """
    Return the reader of the given fields of a message type.

    Args:
        kind: the message type, by its short or full name.
        fields: the fields.
        nonfinite: for each field the replacement for a value that is not finite: a number, the path of a number in the
            same message, ``refuse``, or ``''`` for the meaning in the message type. If empty, ``''`` for all fields.
        widths: number of values of each field; if empty, derived from the slices.
        zero_is_far: whether a range of 0 in a LaserScan means that nothing is within reach.

    Raises:
        ConfigError: the type or a field does not exist; the error lists the valid ones.
    """
    of = Kind(canonical_type(kind, TYPES), message_class(kind))
    nonfinite = nonfinite or [''] * len(fields)
    widths = widths or [width_of(text) or 1 for text in fields]
    fields = [_full_path(of.name, field) for field in fields]
    if any(map(is_sector, fields)):
        return _sector_reader(of, fields, zero_is_far=zero_is_far)
    if of.name == VECTOR:
        if all(field.isdecimal() for field in fields) and set(nonfinite) <= {'', REFUSE}:
            return VectorEntries([int(field) for field in fields])
        fields = [_vector_field(field) for field in fields]
    wanted = [WantedField(*one) for one in zip(fields, nonfinite, widths, strict=True)]
    own = _own_reader(of)
    if own is None:
        return make_field_reader(of, wanted)
    by_path = [_is_array_path(of, one.text) for one in wanted]
    if all(by_path):
        return make_field_reader(of, wanted)
    if not any(by_path):
        return PluginReader(of, own, wanted)
    return MixedReader(of, own, wanted, by_path)


def _full_path(kind: str, field: str) -> str:
    """Return the path of a field that several types have at different places, such as the ``position`` of a pose."""
    part, dot, rest = field.partition('.')
    return f'{_PLACES[part][kind]}{dot}{rest}' if kind in _PLACES.get(part, {}) else field


def _sector_reader(kind: Kind, fields: Sequence[str], *, zero_is_far: bool) -> Reader:
    if kind.full_name != LASER_SCAN or not all(map(is_sector, fields)):
        raise ConfigError(
            'sectors such as nearest(-0.35, 0.35) need a LaserScan and a separate source; list the topic as two '
            'sources to read other fields as well.'
        )
    return SectorReader(fields, zero_is_far=zero_is_far)


def _own_reader(kind: Kind) -> OwnReader | None:
    """Return the function that an installed package provides for this type; None if there is none."""
    if kind.name in TYPES:
        return None
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=kind.full_name):
        own: OwnReader = entry.load()
        return own
    return None


def _is_array_path(kind: Kind, text: str) -> bool:
    """Return whether this is array syntax for a field that exists in the message."""
    if '[' not in text and '(' not in text:
        return False
    try:
        field = parse(text)
        for path in field.paths:
            find_way(kind, path, whole=bool(field.reduction))
    except ConfigError:
        return False
    return True


def _vector_field(field: str) -> str:
    """Return the path of a field of a vector, which may be its index alone."""
    if field.isdecimal():
        return f'data[{field}]'
    if 'data' not in field:
        raise ConfigError(
            f"'{field}' is not a field of a {VECTOR}; give the index of a number (0, 1, 2, ...), a slice such as "
            'data[0:3], or a reduction such as min(data[0:3]).'
        )
    return field


class WholeVector:
    """Reads all numbers of a Float64MultiArray."""

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        data: Sequence[float] = message.data
        return data


class VectorEntries:
    """Reads elements of a Float64MultiArray by their indices."""

    def __init__(self, indices: Sequence[int]) -> None:
        self._indices, self._needed = list(indices), max(indices) + 1

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        data = message.data
        if len(data) < self._needed:
            raise ObservationError(
                f"a {VECTOR} has {len(data)} values, but 'observation.fields' names index {self._needed - 1}; publish "
                f'more values, or correct the index.'
            )
        return [data[index] for index in self._indices]


class PluginReader:
    """
    Reads a message with the user's own function; any exception from it makes the message unusable.

    Args:
        kind: the message type.
        own: the user's function.
        wanted: the fields to read.
    """

    def __init__(self, kind: Kind, own: OwnReader, wanted: Sequence[WantedField]) -> None:
        self._kind, self._count = kind, len(wanted)
        self._own = own([one.text for one in wanted])
        self._fills_scan = has_ranges(kind) and REFUSE not in {one.nonfinite for one in wanted}
        self._fillers = [
            (place, make_filler(kind, one.nonfinite))
            for place, one in enumerate(wanted)
            if one.nonfinite not in ('', REFUSE)
        ]

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        if self._fills_scan:
            fill_scan(message)
        try:
            values = np.array([float(number) for number in self._own(message)])
        except Exception as error:
            raise ObservationError(
                f'the reader of {self._kind.name} failed on a message: {error!r}. Correct the package that provides it.'
            ) from error
        if len(values) == self._count:
            for place, filler in self._fillers:
                values[place : place + 1] = filler.fill(message, values[place : place + 1])
        return values


class MixedReader:
    """
    Reads arrays by their path, and all other fields by a user's own function.

    Args:
        kind: the message type.
        own: the user's function.
        wanted: all fields.
        by_path: the fields that are read by their path.
    """

    def __init__(self, kind: Kind, own: OwnReader, wanted: Sequence[WantedField], by_path: Sequence[bool]) -> None:
        self._plugin = PluginReader(kind, own, [one for one, path in zip(wanted, by_path, strict=True) if not path])
        self._paths = make_field_reader(kind, [one for one, path in zip(wanted, by_path, strict=True) if path])
        self._is_path = np.repeat(by_path, [one.width for one in wanted])
        self._whole = np.zeros(len(self._is_path))

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        self._whole[self._is_path] = self._paths.read(message)
        self._whole[~self._is_path] = self._plugin.read(message)
        return self._whole
