"""The way through the types of a message to the numbers of a field; compiled once, then followed with each message."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.contract.fields import Path, slice_width
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.ros.message_types import interface_class

Array = npt.NDArray[np.float64]
Getter = Callable[[Any], Any]

_NUMBERS = ('double', 'float', 'boolean', 'int', 'uint', 'octet')
_QUATERNION = 'geometry_msgs/Quaternion'
_ANGLES = ('roll', 'pitch', 'yaw')
# A quaternion shorter than this, squared, is no orientation; most often it was never filled in.
_SHORTEST = 1e-6
_SHORT = "choose what it has in 'observation.fields', or check what publishes it."


class Kind(NamedTuple):
    """A message type: how the user calls it, and its class."""

    name: str
    message: Any

    @property
    def full_name(self) -> str:
        """As ``sensor_msgs/msg/LaserScan``."""
        package, kind, *_ = self.message.__module__.split('.')
        return f'{package}/{kind}/{self.message.__name__}'


class Way(NamedTuple):
    """A path made definite: what leads to a number, or to an array, a slice of it, and from each entry to a number."""

    text: str
    before: Getter
    cut: slice | None = None
    after: Getter | None = None
    label: str = ''
    """The array's path."""
    length: int | None = None
    """How many numbers the slice has, where the array's length is fixed."""

    def numbers(self, kind: str, width: int | None) -> Callable[[Any], Array]:
        """Return what reads the numbers of the slice; so many, or, with None, as many as the slice says, or some."""
        if self.cut is None:
            return lambda message: np.array([float(self.before(message))])
        before, cut, after = self.before, self.cut, self.after
        wanted = slice_width(cut) if width is None else width

        def read(message: Any) -> Array:
            whole = before(message)
            part = whole[cut]
            if len(part) != wanted and (wanted is not None or not len(part)):
                raise ObservationError(
                    f"a {kind} has {len(whole)} values of '{self.label}', and '{self.text}' takes "
                    f'{wanted or "at least one"} and finds {len(part)}; {_SHORT}'
                )
            return np.array(part if after is None else [after(entry) for entry in part], dtype=np.float64)

        return read


def find_way(kind: Kind, path: Path, *, whole: bool = False) -> Way:
    """
    Find the way along a path through the types of a message.

    Args:
        kind: the message type.
        path: the path.
        whole: whether a path that ends at an array means all of it.

    Raises:
        ConfigError: it does not lead to a number.
    """
    here, label, steps = kind.full_name.replace('/msg/', '/'), '', list(path.steps)
    sections: list[list[Getter]] = [[]]
    cut, cut_label, length = path.cut, '', None
    while steps or (whole and cut is None and _array_of(here)):
        if not steps:  # min(ranges) is min(ranges[:])
            cut = slice(None)
            steps.append(cut)
        step = steps.pop(0)
        if isinstance(step, str):
            label = f'{label}.{step}' if label else step
            operation, here = _into_field(kind, path, here, label)
            sections[-1].append(operation)
            continue
        array_type = _array_of(here)
        if array_type is None:
            raise ConfigError(f"'{path.text}' takes an entry of '{label}', which is not an array in a {kind.name}.")
        here, fixed = array_type
        if isinstance(step, slice):
            cut_label, length = label, None if fixed is None else len(range(fixed)[step])
            sections.append([])
        elif fixed is not None and not -fixed <= step < fixed:
            raise ConfigError(
                f"'{path.text}' is beyond the {fixed} values of '{label}'; the last is {label}[{fixed - 1}]."
            )
        else:
            sections[-1].append(_entry(kind.name, path.text, label, step))
        label = f'{label}[{step}]' if isinstance(step, int) else f'{label}[...]'
    _check_number(kind, path, here)
    if here == 'octet':
        sections[-1].append(ord)
    if cut is None:
        return Way(path.text, _chain(sections[0]))
    return Way(path.text, _chain(sections[0]), cut, _chain(sections[1]) if sections[1] else None, cut_label, length)


def _into_field(kind: Kind, path: Path, here: str, label: str) -> tuple[Getter, str]:
    """Return what gets the last field of ``label`` out of the message ``here``, and the field's type."""
    before, _, step = label.rpartition('.')
    if here == _QUATERNION and step in _ANGLES:
        return _angle(before, step), 'double'
    if _array_of(here):
        raise ConfigError(
            f"'{path.text}' takes '{step}' of '{before}', which is an array in a {kind.name}; give an index, "
            f'{before}[0].{step}, or, in a reduction, a slice, {before}[:].{step}.'
        )
    fields = _fields_of(here)
    if step not in fields:
        known = [*numbers_of(kind.message), *_arrays(kind.message)]
        raise ConfigError(
            f"'{path.text}' is not a number in a message of type {kind.name}.{did_you_mean(path.text, known)}"
        )
    return attrgetter(step), fields[step]


def _check_number(kind: Kind, path: Path, here: str) -> None:
    if here.startswith(_NUMBERS) and not _array_of(here):
        return
    if _array_of(here):
        raise ConfigError(
            f"'{path.text}' is not a number in a message of type {kind.name} but an array; give an index, "
            f'{path.text}[0], a slice, {path.text}[0:3], or a reduction, min({path.text}).'
        )
    inside = ', '.join(f'{path.text}.{name}' for name in _fields_of(here))
    raise ConfigError(
        f"'{path.text}' is not a number in a message of type {kind.name} but a {here}"
        f'{f"; it has {inside}" if inside else ""}.'
    )


def _entry(kind: str, text: str, label: str, index: int) -> Getter:
    def get(values: Any) -> Any:
        try:
            return values[index]
        except IndexError:
            raise ObservationError(
                f"a {kind} has {len(values)} values of '{label}', and '{text}' is beyond them; {_SHORT}"
            ) from None

    return get


def _chain(operations: Sequence[Getter]) -> Getter:
    if len(operations) == 1:
        return operations[0]

    def get(message: Any) -> Any:
        for operation in operations:
            message = operation(message)
        return message

    return get


def _array_of(kind: str) -> tuple[str, int | None] | None:
    """Return the type of an array's entries and its length, None where messages differ in it; None for no array."""
    if match := re.fullmatch(r'sequence<(.+?)(?:, *\d+)?>', kind):
        return match[1], None
    if match := re.fullmatch(r'(.+)\[(\d+)\]', kind):
        return match[1], int(match[2])
    return None


def _fields_of(kind: str) -> dict[str, str]:
    """Return the fields of a message type and their types; none for what is not a message."""
    if '/' not in kind or _array_of(kind):
        return {}
    fields: dict[str, str] = interface_class(kind.replace('/', '/msg/')).get_fields_and_field_types()
    return fields


def numbers_of(message: Any) -> dict[str, Getter | None]:
    """Return the paths of all numbers in a message outside arrays, with a function for those that are not a field."""
    return dict(_numbers(message, ''))


def _numbers(message: Any, path: str) -> Iterator[tuple[str, Getter | None]]:
    """Return the paths of all numbers in a message, with a function for those that are not a field of it."""
    for name, kind in message.get_fields_and_field_types().items():
        if kind.startswith(_NUMBERS) and not _array_of(kind):
            yield path + name, _octet(path + name) if kind == 'octet' else None
        elif _fields_of(kind) and name != 'header':
            yield from _numbers(interface_class(kind.replace('/', '/msg/')), f'{path}{name}.')
        if kind == _QUATERNION:
            for angle in _ANGLES:
                yield f'{path}{name}.{angle}', _chain([attrgetter(path + name), _angle(path + name, angle)])


def _arrays(message: Any, path: str = '') -> Iterator[str]:
    """Return the first entry of each array of numbers in a message."""
    for name, kind in message.get_fields_and_field_types().items():
        if inner := _array_of(kind):
            if inner[0].startswith(_NUMBERS):
                yield f'{path}{name}[0]'
        elif _fields_of(kind) and name != 'header':
            yield from _arrays(interface_class(kind.replace('/', '/msg/')), f'{path}{name}.')


def _octet(path: str) -> Getter:
    return _chain([attrgetter(path), ord])


def _angle(path: str, angle: str) -> Getter:
    compute = {'roll': _roll, 'pitch': _pitch, 'yaw': _yaw}[angle]

    def read(q: Any) -> float:
        square = q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z
        if not _SHORTEST <= square < math.inf:  # NaN neither
            raise ObservationError(
                f"'{path}' is ({q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}), an invalid quaternion; x, y, z and w of an "
                'orientation have length 1.'
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
