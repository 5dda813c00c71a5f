"""What stands for a value of a message that is not finite: the parameter ``observation.nonfinite``."""

from array import array
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

from velora_ros.contract.fields import Field
from velora_ros.contract.sources import REFUSE, number_of
from velora_ros.errors import ConfigError, ObservationError, did_you_mean
from velora_ros.nodes.policy.message_paths import Array, Kind, numbers_of

# Replaces what is not finite in values of a message; raises ObservationError where nothing can stand for it.
Fill = Callable[[Any, Array], Array]

# What measures distances: the field with them, and those with the least and the greatest that it can measure.
_RANGES = {
    'sensor_msgs/msg/LaserScan': ('ranges', 'range_min', 'range_max'),
    'sensor_msgs/msg/Range': ('range', 'min_range', 'max_range'),
}


def is_range(kind: Kind, field: Field) -> bool:
    """Whether all that a field reads are distances, for which infinity has a meaning."""
    ranges, *_ = _RANGES.get(kind.full_name, ('',))
    return all(path.steps[0] == ranges for path in field.paths)


def fill_of(kind: Kind, text: str, field: Field | None = None) -> Fill:
    """
    Return what stands for values that are not finite.

    Raises:
        ConfigError: the message has no number of that name.
    """
    what = field.text if field else 'the reader'
    distance = field is not None and is_range(kind, field)
    if text == REFUSE or (not text and not distance):
        return lambda message, values: _finite(values, what)
    number = number_of(text)
    if text and number is None:
        known = numbers_of(kind.message)
        if text not in known:
            raise ConfigError(
                f"'observation.nonfinite' is '{text}'; it must be a finite number, '{REFUSE}', or the path of a number "
                f'in a {kind.name}.{did_you_mean(text, known)}'
            )
    get = attrgetter(text) if text and number is None else None
    least, greatest = map(attrgetter, _RANGES[kind.full_name][1:]) if distance else (None, None)

    def fill(message: Any, values: Array) -> Array:
        bad = ~np.isfinite(values)
        if not bad.any():
            return values
        if least is not None and greatest is not None:
            values = _fill_near(values, least(message))
            if not text:
                return _finite(_fill_far(values, greatest(message)), what)
            bad = ~np.isfinite(values)
        values[bad] = number if get is None else float(get(message))
        return _finite(values, what)

    return fill


def _fill_near(ranges: Array, least: float) -> Array:
    return np.where(np.isneginf(ranges), least, ranges)


def _fill_far(ranges: Array, greatest: float) -> Array:
    """Put the greatest distance where nothing is; a driver that leaves it at zero has not said how far that is."""
    return np.where(np.isposinf(ranges), greatest if greatest > 0 else np.inf, ranges)


def _finite(values: Array, what: str) -> Array:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        which = f'value {bad[0]} of ' if len(values) > 1 else ''
        raise ObservationError(
            f"{which}'{what}' is {values[bad[0]]}; 'observation.nonfinite' can say what stands for it, a number or the "
            'name of one in the message.'
        )
    return values


def has_ranges(kind: Kind) -> bool:
    """Whether :func:`fill_ranges` is for this type."""
    return _RANGES.get(kind.full_name, ('',))[0] == 'ranges'


def fill_ranges(message: Any) -> None:
    """Put into the ranges of a scan what infinity means there."""
    ranges = np.asarray(message.ranges, dtype=np.float64)
    if np.isinf(ranges).any():
        filled = _fill_far(_fill_near(ranges, message.range_min), message.range_max)
        message.ranges = array('f', filled.astype(np.float32).tobytes())
