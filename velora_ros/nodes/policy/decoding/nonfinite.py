"""Replacements for values of a message that are not finite: the parameter ``observation.nonfinite``."""

from array import array
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from velora_ros.contract.fields import Field
from velora_ros.contract.sources import REFUSE, number_of
from velora_ros.contract.transforms import fill_ranges
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.policy.decoding.message_paths import Array, Kind, numbers_of

# Types that measure distances: their field, and the fields of the minimum and the maximum measurable distance.
_RANGES = {
    'sensor_msgs/msg/LaserScan': ('ranges', 'range_min', 'range_max'),
    'sensor_msgs/msg/Range': ('range', 'min_range', 'max_range'),
}


class Filler(Protocol):
    """Replaces values of a field that are not finite."""

    def fill(self, message: Any, values: Array) -> Array:
        """
        Return the values, shape (n,), with every number finite; they may be changed in place.

        Raises:
            ObservationError: nothing replaces a value that is not finite.
        """
        ...


class Refuse:
    """Replaces nothing: a value that is not finite makes the message unusable."""

    def __init__(self, what: str) -> None:
        self._what = what

    def fill(self, message: Any, values: Array) -> Array:
        """See :class:`Filler`."""
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            which = f'value {bad[0]} of ' if len(values) > 1 else ''
            raise ObservationError(
                f"{which}'{self._what}' is {values[bad[0]]}; set 'observation.nonfinite' to its replacement, a number "
                'or the path of a number in the message.'
            )
        return values


class ReplaceByNumber:
    """
    Replaces values by a number, or by a number of the same message.

    Args:
        what: the field, for errors.
        number: the number; None to read ``path``.
        path: the path of the number in the message.
    """

    def __init__(self, what: str, number: float | None, path: str = '') -> None:
        self._number, self._get = number, attrgetter(path) if number is None else None
        self._refuse = Refuse(what)

    def fill(self, message: Any, values: Array) -> Array:
        """See :class:`Filler`."""
        bad = ~np.isfinite(values)
        if bad.any():
            values[bad] = self._number if self._get is None else float(self._get(message))
        return self._refuse.fill(message, values)


class ReplaceRanges:
    """
    Replaces infinite distances by the limits that they stand for (REP 117), and other values, such as NaN, by ``rest``.

    Args:
        kind: the message type, a key of the table of distances.
        rest: the filler for other values that are not finite, and for inf too if ``keeps_far`` is set.
        keeps_far: whether the user gave a replacement, which then also applies to inf.
    """

    def __init__(self, kind: Kind, rest: Filler, *, keeps_far: bool) -> None:
        self._least, self._greatest = map(attrgetter, _RANGES[kind.full_name][1:])
        self._rest, self._keeps_far = rest, keeps_far

    def fill(self, message: Any, values: Array) -> Array:
        """See :class:`Filler`."""
        if not np.isfinite(values).all():
            values = fill_ranges(values, self._least(message), 0.0 if self._keeps_far else self._greatest(message))
        return self._rest.fill(message, values)


def make_filler(kind: Kind, text: str, field: Field | None = None) -> Filler:
    """
    Return the filler for a field.

    Args:
        kind: the message type.
        text: the entry of ``observation.nonfinite`` (:class:`velora_ros.contract.sources.ObservationSettings`).
        field: the field; None for a user's own reader.

    Raises:
        ConfigError: ``text`` is neither a number nor the path of a number in the message.
    """
    what = field.text if field else 'the reader'
    has_meaning = field is not None and is_range(kind, field)
    if text == REFUSE or (not text and not has_meaning):
        return Refuse(what)
    number = number_of(text)
    if text and number is None and text not in (known := numbers_of(kind.message)):
        raise ConfigError(
            f"'observation.nonfinite' is '{text}'; it must be a finite number, '{REFUSE}', or the path of a number in "
            f'a {kind.name}.{did_you_mean(text, known)}'
        )
    filler: Filler = ReplaceByNumber(what, number, text) if text else Refuse(what)
    return ReplaceRanges(kind, filler, keeps_far=bool(text)) if has_meaning else filler


def is_range(kind: Kind, field: Field) -> bool:
    """Return whether a field reads only distances, for which infinity has a meaning."""
    ranges, *_ = _RANGES.get(kind.full_name, ('',))
    return all(path.steps[0] == ranges for path in field.paths)


def has_ranges(kind: Kind) -> bool:
    """Return whether :func:`fill_scan` applies to this type."""
    return _RANGES.get(kind.full_name, ('',))[0] == 'ranges'


def fill_scan(message: Any) -> None:
    """Replace the infinite ranges of a scan, in the message itself, by the limits that they stand for (REP 117)."""
    ranges = np.asarray(message.ranges, dtype=np.float64)
    if np.isinf(ranges).any():
        filled = fill_ranges(ranges, message.range_min, message.range_max)
        message.ranges = array('f', filled.astype(np.float32).tobytes())
