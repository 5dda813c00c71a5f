"""Keeps the newest values of a source whose messages each have all of its values, such as a vector or an Imu."""

import math
from collections.abc import Sequence

import numpy as np

from velora_ros.control.contradicting_publishers import Contradictions
from velora_ros.control.newest_values import NANOSECONDS, Array, too_old
from velora_ros.errors import ObservationError


class VectorValues:
    """
    The newest values of a source whose messages each have all of its values.

    Args:
        names: the names of the values, for errors.
        max_age: longest time between the values and the observation's stamp [s]; ``inf`` for no limit.
        source: the name of the source.
        size: the number of values; by default, one for each name.
        missing: the values before the first message and when the values are too old, shape (size,); if empty, an error
            is raised instead.
        low: lower limits to which values are clipped, shape (size,); None for no limits.
        high: upper limits to which values are clipped, shape (size,); None for no limits.
    """

    def __init__(
        self,
        names: Sequence[str],
        max_age: float,
        source: str,
        size: int = 0,
        missing: Sequence[float] = (),
        *,
        low: Array | None = None,
        high: Array | None = None,
    ) -> None:
        self.max_age = max_age
        self._names = list(names)
        self._source = source
        self._values = np.zeros(size or len(names))
        self._missing = np.asarray(missing, dtype=np.float64) if missing else None
        self._low, self._high = low, high
        self.clipped = self.unusable = 0
        """Numbers of messages with clipped values, and of messages that were ignored because they were not finite."""
        self.contradictions = Contradictions(names if len(names) == len(self._values) else _numbered(len(self._values)))
        self.parts_of_a_state = 1
        self._stamp: int | None = None
        self._refused = ''

    def observe(self, values: Sequence[float] | Array, stamp: int) -> Array | None:
        """See :class:`NewestValues`."""
        return self.read(stamp) if self.update(values, stamp) else None

    def update(self, values: Sequence[float] | Array, stamp: int) -> bool:
        """
        Store the values of a message, shape (size,), measured at ``stamp`` [ns]; return True: each message is complete.

        Raises:
            ObservationError: the number of values is wrong; nothing is stored.
        """
        if len(values) != len(self._values):
            raise ObservationError(
                f'the observation has {len(values)} values, but the policy reads {len(self._values)}: '
                f'{", ".join(self._names)}; publish these, in this order.'
            )
        self._values[:] = values
        self._stamp, self._refused = stamp, ''
        if self._missing is not None and not np.isfinite(self._values).all():
            self._stamp = None
            self.unusable += 1
            return True
        if self._low is not None or self._high is not None:
            self._clip()
        if self.contradictions.on:
            self.contradictions.note(*self.newest)
        return True

    def _clip(self) -> None:
        """Clip the values to the limits; NaN stays, and the policy refuses it."""
        before = self._values.copy()
        np.clip(self._values, self._low, self._high, out=self._values)
        self.clipped += bool((self._values != before).any() and np.isfinite(before).all())

    def write_into(self, part: Array) -> None:
        """See :class:`NewestValues`."""
        part[:] = self._values
        self._values = part

    @property
    def newest(self) -> tuple[Sequence[int], list[float]]:
        """Indices and values of the last message."""
        return range(len(self._values)), self._values.tolist()

    def refuse(self, reason: str) -> None:
        """Make :meth:`read` fail with ``reason`` until a usable message arrives, because older values are outdated."""
        self._refused = reason

    def read(self, stamp: int) -> Array:
        """See :class:`NewestValues`."""
        if self._refused:
            raise ObservationError(self._refused)
        if self._stamp is None:
            if self._missing is not None:
                return self._replaced(self._missing)
            raise ObservationError(
                f"no message has arrived from the source '{self._source}' ({', '.join(self._names)}); publish it, or "
                f"correct 'observation.{self._source}.topic'."
            )
        if self.max_age != math.inf and abs(stamp - self._stamp) > self.max_age * NANOSECONDS:
            if self._missing is not None:
                return self._replaced(self._missing)
            raise ObservationError(too_old(f"the source '{self._source}'", self._source, self.max_age))
        return self._values

    def _replaced(self, missing: Array) -> Array:
        """Replace the values by ``missing`` until the next message arrives, and return them."""
        self._stamp, self._values[:] = None, missing
        return self._values

    def forget(self) -> None:
        """See :class:`NewestValues`."""
        self._stamp, self._refused = None, ''


def _numbered(count: int) -> list[str]:
    return [f'value {place}' for place in range(count)]
