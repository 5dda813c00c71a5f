"""
Reads the numbers that ``observation.fields`` name from a message.

A field is the path of a number inside the message, for every message type: ``angular_velocity.z`` of an Imu,
``twist.twist.linear.x`` of an Odometry, ``ranges[0]`` of a LaserScan, ``transforms[0].transform.translation.x``. A
slice such as ``ranges[0:360]`` is as many observations as it has entries, and ``min``, ``max`` or ``mean`` of a slice
is one; :mod:`velora_ros.contract.fields` has the syntax. A quaternion also has the angles ``roll``, ``pitch`` and
``yaw`` [rad].
The numbers of a Float64MultiArray also go by their index alone. What a message says that it does not know (a first
covariance of -1, as in an Imu without orientation) is not read.

A value that is not finite refuses the message, unless ``observation.nonfinite`` says what stands for it. The ranges of
LaserScan and Range have a meaning of their own for infinity (REP 117): inf is "nothing within range_max" and read as
``range_max``, -inf is "closer than range_min" and read as ``range_min``.

What such a path cannot reach takes one function of your own::

    def nearest(fields: Sequence[str]) -> Callable[[LaserScan], Sequence[float]]:
        return lambda message: [min(message.ranges)]

It is given the fields and returns what is called with each message and returns one number for each field; it raises
ConfigError for fields that it does not know. Your package offers it as an entry point of the group
``velora_ros.readers`` under the type's name: ``sensor_msgs/msg/LaserScan = my_robot.readers:nearest``. Fields with an
index, a slice or a reduction that the message has are read by their path all the same.
"""

import importlib.metadata
import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from velora_ros.contract.fields import Field, parse, width_of
from velora_ros.contract.sources import JOINTS, REFUSE, VECTOR
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.policy.message_paths import Array, Getter, Kind, find_way, numbers_of
from velora_ros.nodes.policy.nonfinite import Fill, fill_of, fill_ranges, has_ranges, is_range
from velora_ros.nodes.ros.message_types import canonical_type, interface_class

Reader = Callable[[Any], Sequence[float] | Array]

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
_COVARIANCE = '_covariance'


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


def has_number(kind: str, path: str) -> bool:
    """Whether messages of a type have a number at this path, outside arrays."""
    return path in numbers_of(message_class(kind))


class _Wanted(NamedTuple):
    """A field, what stands for its values that are not finite, and how many values it has."""

    text: str
    nonfinite: str
    width: int


def make_reader(kind: str, fields: Sequence[str], nonfinite: Sequence[str] = (), widths: Sequence[int] = ()) -> Reader:
    """
    Return the function that reads the fields of a message, one number for each, or as many as a slice has.

    Args:
        kind: the message type, by its short or full name.
        fields: what to read.
        nonfinite: for each field what stands for a value that is not finite: a number, the path of a number in the same
            message, ``refuse``, or ``''`` for what the message type says; empty is the last for all.
        widths: how many numbers each field gives; empty takes it from the slices.

    Raises:
        ConfigError: there is no such type or field; the message says what there is.
    """
    of = Kind(canonical_type(kind, TYPES), message_class(kind))
    nonfinite = nonfinite or [''] * len(fields)
    widths = widths or [width_of(text) or 1 for text in fields]
    if of.name == VECTOR:
        if all(field.isdecimal() for field in fields) and set(nonfinite) <= {'', REFUSE}:
            return _vector_reader(fields)
        fields = [_vector_field(field) for field in fields]
    wanted = [_Wanted(*one) for one in zip(fields, nonfinite, widths, strict=True)]
    make_own = _own_reader(of)
    if make_own is None:
        return _path_reader(of, wanted)
    return _mixed_reader(of, make_own, wanted)


def _own_reader(kind: Kind) -> Callable[[Sequence[str]], Reader] | None:
    """Return what another package offers for this type."""
    if kind.name in TYPES:
        return None
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=kind.full_name):
        make: Callable[[Sequence[str]], Reader] = entry.load()
        return make
    return None


def _mixed_reader(kind: Kind, make: Callable[[Sequence[str]], Reader], wanted: Sequence[_Wanted]) -> Reader:
    """Read arrays by their path, and everything else by somebody else's function."""
    by_path = [_has_path(kind, one.text) for one in wanted]
    if all(by_path):
        return _path_reader(kind, wanted)
    others = _guarded(kind, make, [one for one, path in zip(wanted, by_path, strict=True) if not path])
    if not any(by_path):
        return others
    mine = _path_reader(kind, [one for one, path in zip(wanted, by_path, strict=True) if path])
    is_mine = np.repeat(by_path, [one.width for one in wanted])
    whole = np.zeros(len(is_mine))

    def read(message: Any) -> Array:
        whole[is_mine], whole[~is_mine] = mine(message), others(message)
        return whole

    return read


def _has_path(kind: Kind, text: str) -> bool:
    """Whether this is array syntax for something that the message has."""
    if '[' not in text and '(' not in text:
        return False
    try:
        field = parse(text)
        for path in field.paths:
            find_way(kind, path, whole=bool(field.reduction))
    except ConfigError:
        return False
    return True


def _guarded(kind: Kind, make: Callable[[Sequence[str]], Reader], wanted: Sequence[_Wanted]) -> Reader:
    """Make whatever goes wrong in somebody else's function a message that cannot be used."""
    read = make([one.text for one in wanted])
    by_meaning = has_ranges(kind) and REFUSE not in {one.nonfinite for one in wanted}
    fills = [
        (place, fill_of(kind, one.nonfinite)) for place, one in enumerate(wanted) if one.nonfinite not in ('', REFUSE)
    ]

    def guarded(message: Any) -> Array:
        if by_meaning:
            fill_ranges(message)
        try:
            values = np.array([float(number) for number in read(message)])
        except Exception as error:
            raise ObservationError(f'the reader of {kind.name} failed on a message: {error!r}.') from error
        if fills and len(values) == len(wanted):
            for place, fill in fills:
                values[place : place + 1] = fill(message, values[place : place + 1])
        return values

    return guarded


def _vector_field(field: str) -> str:
    """Return the path of what is read of a vector, which may be given by its index alone."""
    if field.isdecimal():
        return f'data[{field}]'
    if 'data' not in field:
        raise ConfigError(
            f"'{field}' is not a field of a {VECTOR}; its numbers go by their index, 0, 1, 2, ..., and several of them "
            'by data[0:3], min(data[0:3]) and so on.'
        )
    return field


def _vector_reader(fields: Sequence[str]) -> Reader:
    indices = [int(field) for field in fields]
    needed = max(indices) + 1

    def read(message: Any) -> Sequence[float]:
        if len(message.data) < needed:
            raise ObservationError(f'a {VECTOR} has {len(message.data)} values, and number {needed - 1} is to be read.')
        return [message.data[index] for index in indices]

    return read


def _path_reader(kind: Kind, wanted: Sequence[_Wanted]) -> Reader:
    known, fields = numbers_of(kind.message), [parse(one.text) for one in wanted]
    plain = all(
        one.text in known and one.nonfinite in ('', REFUSE) and not is_range(kind, field)
        for one, field in zip(wanted, fields, strict=True)
    )
    texts = [one.text for one in wanted]
    read = _plain_reader([known[text] for text in texts], texts) if plain else _compiled_reader(kind, wanted)
    parts = dict.fromkeys(path.steps[0] for field in fields for path in field.paths)
    uncertain = [str(part) for part in parts if hasattr(kind.message, f'{part}{_COVARIANCE}')]
    return _knowing(read, kind.name, uncertain) if uncertain else read


def _plain_reader(functions: Sequence[Getter | None], texts: Sequence[str]) -> Reader:
    """Return what reads single numbers, which the controller checks for being finite."""
    if len(texts) > 1 and not any(functions):
        return attrgetter(*texts)
    getters = [function or attrgetter(text) for function, text in zip(functions, texts, strict=True)]

    def read(message: Any) -> Sequence[float]:
        return [get(message) for get in getters]

    return read


def _compiled_reader(kind: Kind, wanted: Sequence[_Wanted]) -> Reader:
    pieces: list[tuple[slice, Callable[[Any], Array | float]]] = []
    place = 0
    for one in wanted:
        pieces.append((slice(place, place + one.width), _piece(kind, one)))
        place += one.width
    whole = np.zeros(place)

    def read(message: Any) -> Array:
        for places, get in pieces:
            whole[places] = get(message)
        return whole

    return read


def _piece(kind: Kind, wanted: _Wanted) -> Callable[[Any], Array | float]:
    """Return what reads one field: a number, the numbers of a slice, or what they are reduced to."""
    field, width = parse(wanted.text), wanted.width
    ways = [find_way(kind, path, whole=bool(field.reduction)) for path in field.paths]
    fill = fill_of(kind, wanted.nonfinite, field)
    if field.reduction:
        return _reduced(field, [way.numbers(kind.name, None) for way in ways], fill)
    (way,) = ways
    if way.cut is None:
        return _single(way.before, fill)
    if way.length is not None and way.length != width:
        raise ConfigError(
            f"'{field.text}' gives {way.length} values and the policy has {width} observations for it; give the slice "
            'another start or stop.'
        )
    get = way.numbers(kind.name, width)
    return lambda message: fill(message, get(message))


def _single(get: Getter, fill: Fill) -> Callable[[Any], float]:
    def read(message: Any) -> float:
        value = float(get(message))
        return value if math.isfinite(value) else float(fill(message, np.array([value]))[0])

    return read


def _reduced(field: Field, getters: Sequence[Callable[[Any], Array]], fill: Fill) -> Callable[[Any], float]:
    reduce: Any = {'min': np.min, 'max': np.max, 'mean': np.mean}[field.reduction]

    def read(message: Any) -> float:
        parts = [get(message) for get in getters]
        return float(reduce(fill(message, parts[0] if len(parts) == 1 else np.concatenate(parts))))

    return read


def _knowing(read: Reader, kind: str, parts: Sequence[str]) -> Reader:
    """Refuse messages that say of one of these parts that it is not known; sensor_msgs/Imu has the rule."""
    covariances = [(part, attrgetter(f'{part}{_COVARIANCE}')) for part in parts]

    def knowing(message: Any) -> Sequence[float] | Array:
        for part, covariance in covariances:
            if covariance(message)[0] == -1:
                raise ObservationError(f'the {kind} has no {part}: its first covariance is -1, which says so.')
        return read(message)

    return knowing
