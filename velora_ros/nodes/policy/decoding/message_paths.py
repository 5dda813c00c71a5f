"""
Turns the path of a field, such as ``ranges[0:3]``, into an object that reads its numbers from a message.

:func:`find_way` checks a path against the types of a message once, when the node is configured. The :class:`Way` that
it returns is applied to each message.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.contract.fields import Path, slice_width
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.policy.decoding.quaternion_angles import ANGLES, GRAVITY, QUATERNION, QuaternionAngle
from velora_ros.nodes.ros.message_types import interface_class

Array = npt.NDArray[np.float64]
Getter = Callable[[Any], Any]

# The type of a quaternion's `gravity`: not a message, but it has x, y and z.
_DIRECTION, _AXES = 'direction of gravity', ('x', 'y', 'z')
_NUMBERS = ('double', 'float', 'boolean', 'int', 'uint', 'octet')
_SHORT = "correct 'observation.fields', or check the node that publishes the message."


class Kind(NamedTuple):
    """A message type: its name as the user gave it, and its class."""

    name: str
    message: Any

    @property
    def full_name(self) -> str:
        """The full name, such as ``sensor_msgs/msg/LaserScan``."""
        package, kind, *_ = self.message.__module__.split('.')
        return f'{package}/{kind}/{self.message.__name__}'


class Way(NamedTuple):
    """
    A path that exists in a message type.

    Args:
        text: the path as it was written.
        before: returns the number, or the array to be sliced.
        cut: the slice, if there is one.
        after: returns the number in one element of the slice; None if the elements are numbers.
        label: the path of the array.
        length: number of elements in the slice if the array has a fixed length; otherwise None.
    """

    text: str
    before: Getter
    cut: slice | None = None
    after: Getter | None = None
    label: str = ''
    length: int | None = None


class SliceReader:
    """
    Reads the numbers of a path.

    Args:
        kind: the message type, for errors.
        way: the path in this message type.
        width: the required number of values; None for the length of the slice, or any number if that varies.
    """

    def __init__(self, kind: str, way: Way, width: int | None) -> None:
        self._kind, self._way = kind, way
        self._width = slice_width(way.cut) if width is None and way.cut is not None else width

    def read(self, message: Any) -> Array:
        """
        Return the numbers, shape (width,).

        Raises:
            ObservationError: the message has a different number of values.
        """
        text, before, cut, after, label, _ = self._way
        whole = before(message)
        if cut is None:
            return np.array([float(whole)])
        elements, wanted = whole[cut], self._width
        if len(elements) != wanted and (wanted is not None or not len(elements)):
            raise ObservationError(
                f"a {self._kind} has {len(whole)} values of '{label}', but '{text}' needs "
                f'{wanted or "at least one"} and finds {len(elements)}; {_SHORT}'
            )
        return np.array(elements if after is None else [after(element) for element in elements], dtype=np.float64)


def find_way(kind: Kind, path: Path, *, whole: bool = False) -> Way:
    """
    Check a path against the types of a message, and return how to read its numbers.

    Args:
        kind: the message type.
        path: the path.
        whole: whether a path that ends at an array means all its elements.

    Raises:
        ConfigError: the path does not lead to a number.
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
            raise ConfigError(
                f"'{path.text}' reads an element of '{label}', which is not an array in a {kind.name}; omit the index."
            )
        here, fixed = array_type
        if isinstance(step, slice):
            cut_label, length = label, None if fixed is None else len(range(fixed)[step])
            sections.append([])
        elif fixed is not None and not -fixed <= step < fixed:
            raise ConfigError(
                f"'{path.text}' is beyond the {fixed} values of '{label}'; the last is {label}[{fixed - 1}]."
            )
        else:
            sections[-1].append(_Element(kind.name, path.text, label, step))
        label = f'{label}[{step}]' if isinstance(step, int) else f'{label}[...]'
    _check_number(kind, path, here)
    if here == 'octet':
        sections[-1].append(ord)
    if cut is None:
        return Way(path.text, _chain(sections[0]))
    return Way(path.text, _chain(sections[0]), cut, _chain(sections[1]) if sections[1] else None, cut_label, length)


def _into_field(kind: Kind, path: Path, here: str, label: str) -> tuple[Getter, str]:
    """Return the getter of the last field of ``label`` in a message of type ``here``, and the type of the field."""
    before, _, step = label.rpartition('.')
    if here == QUATERNION and step == GRAVITY:
        return _itself, _DIRECTION
    if here == _DIRECTION:
        if step not in _AXES:
            raise ConfigError(f"'{path.text}' ends with '{step}', but gravity has only x, y and z; write one of these.")
        return QuaternionAngle(before.rpartition('.')[0], step), 'double'
    if here == QUATERNION and step in ANGLES:
        return QuaternionAngle(before, step), 'double'
    if _array_of(here):
        raise ConfigError(
            f"'{path.text}' reads '{step}' of '{before}', which is an array in a {kind.name}; give an index, "
            f'{before}[0].{step}, or, in a reduction, a slice, {before}[:].{step}.'
        )
    fields = _fields_of(here)
    if step not in fields:
        known = [*numbers_of(kind.message), *_arrays(kind.message)]
        raise ConfigError(
            f"'{path.text}' is not a number in a message of type {kind.name}.{did_you_mean(path.text, known)}"
        )
    return attrgetter(step), fields[step]


def _itself(quaternion: Any) -> Any:
    return quaternion


def _check_number(kind: Kind, path: Path, here: str) -> None:
    if here.startswith(_NUMBERS) and not _array_of(here):
        return
    if _array_of(here):
        raise ConfigError(
            f"'{path.text}' is not a number in a message of type {kind.name} but an array; give an index "
            f'({path.text}[0]), a slice ({path.text}[0:3]) or a reduction (min({path.text})).'
        )
    inside = ', '.join(f'{path.text}.{name}' for name in _fields_of(here))
    raise ConfigError(
        f"'{path.text}' is not a number in a message of type {kind.name} but a {here}"
        f'{f"; it has {inside}" if inside else ""}.'
    )


class _Element:
    """Gets one element of an array; an array that is too short makes the message unusable."""

    def __init__(self, kind: str, text: str, label: str, index: int) -> None:
        self._kind, self._text, self._label, self._index = kind, text, label, index

    def __call__(self, values: Any) -> Any:
        try:
            return values[self._index]
        except IndexError:
            raise ObservationError(
                f"a {self._kind} has {len(values)} values of '{self._label}', too few for '{self._text}'; {_SHORT}"
            ) from None


class _Chain:
    """Applies several getters, one after the other."""

    def __init__(self, getters: Sequence[Getter]) -> None:
        self._getters = getters

    def __call__(self, message: Any) -> Any:
        for get in self._getters:
            message = get(message)
        return message


def _chain(getters: Sequence[Getter]) -> Getter:
    return getters[0] if len(getters) == 1 else _Chain(getters)


def _array_of(kind: str) -> tuple[str, int | None] | None:
    """Return the type of an array's elements and its length (None if it varies); None if it is not an array."""
    if match := re.fullmatch(r'sequence<(.+?)(?:, *\d+)?>', kind):
        return match[1], None
    if match := re.fullmatch(r'(.+)\[(\d+)\]', kind):
        return match[1], int(match[2])
    return None


def _fields_of(kind: str) -> dict[str, str]:
    """Return the fields of a message type and their types; empty for a type that is not a message."""
    if '/' not in kind or _array_of(kind):
        return {}
    fields: dict[str, str] = interface_class(kind.replace('/', '/msg/')).get_fields_and_field_types()
    return fields


def numbers_of(message: Any) -> dict[str, Getter | None]:
    """Return the paths of all numbers in a message outside arrays, each with its getter if it is not a plain field."""
    return dict(_numbers(message, ''))


def _numbers(message: Any, path: str) -> Iterator[tuple[str, Getter | None]]:
    """Yield the items of :func:`numbers_of`, each path with the prefix ``path``."""
    for name, kind in message.get_fields_and_field_types().items():
        if kind.startswith(_NUMBERS) and not _array_of(kind):
            yield path + name, _octet(path + name) if kind == 'octet' else None
        elif _fields_of(kind) and name != 'header':
            yield from _numbers(interface_class(kind.replace('/', '/msg/')), f'{path}{name}.')
        if kind == QUATERNION:
            for angle in ANGLES:
                yield f'{path}{name}.{angle}', _chain([attrgetter(path + name), QuaternionAngle(path + name, angle)])
            for axis in _AXES:
                get = _chain([attrgetter(path + name), QuaternionAngle(path + name, axis)])
                yield f'{path}{name}.{GRAVITY}.{axis}', get


def _arrays(message: Any, path: str = '') -> Iterator[str]:
    """Yield the path of the first element of each array of numbers in a message."""
    for name, kind in message.get_fields_and_field_types().items():
        if inner := _array_of(kind):
            if inner[0].startswith(_NUMBERS):
                yield f'{path}{name}[0]'
        elif _fields_of(kind) and name != 'header':
            yield from _arrays(interface_class(kind.replace('/', '/msg/')), f'{path}{name}.')


def _octet(path: str) -> Getter:
    return _chain([attrgetter(path), ord])
