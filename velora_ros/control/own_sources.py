"""Sources of observations that the controller computes itself: the policy's previous action, and a gait clock."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.contract.computed_entries import ClockPlan
from velora_ros.control.newest_values import NANOSECONDS, Numbers, numbers_of
from velora_ros.errors import ConfigError

Array = npt.NDArray[np.float64]


class OwnSource(Protocol):
    """Fills entries of an observation with values that no message has."""

    def begin(self, stamp: int) -> None:
        """Start again with the observation at a stamp [ns], the first after a reset of the hidden state."""

    def fill(self, values: Numbers, stamp: int) -> None:
        """Write the source's entries at a stamp [ns] into ``values``, shape (values,)."""


class LastAction:
    """
    The policy's previous action, before limits.

    Args:
        entries: for each action that is read, the index in the observation and the number of the action.
        action: the previous action, shape (action,), which the controller updates; zero after a reset.
    """

    def __init__(self, entries: Sequence[tuple[int, int]], action: Array) -> None:
        if beyond := [number for _, number in entries if number >= len(action)]:
            raise ConfigError(
                f"'observation.fields' reads action {beyond[0]}, but the policy's actions have the numbers 0 to "
                f'{len(action) - 1}; give one of these.'
            )
        self._runs = _runs(entries)
        self._action = numbers_of(action)

    def begin(self, stamp: int) -> None:
        """See :class:`OwnSource`; the controller has set the action to zero."""

    def fill(self, values: Numbers, stamp: int) -> None:
        """See :class:`OwnSource`."""
        for places, numbers in self._runs:
            values[places] = self._action[numbers]


class RunningClock:
    """A gait clock: sine and cosine of the phase of a stride; it starts at the first observation after a reset."""

    def __init__(self, plan: ClockPlan) -> None:
        self._source, self._command = plan.source, plan.command
        self._entries = list(zip(plan.entries, plan.waves, strict=True))
        self._began = 0

    def begin(self, stamp: int) -> None:
        """See :class:`OwnSource`."""
        self._began = stamp

    def fill(self, values: Numbers, stamp: int) -> None:
        """See :class:`OwnSource`."""
        # The same as contract.gait_clock, for one robot, in a tenth of the time; a test compares them.
        source, waves, moves = self._source, (0.0, 0.0), not self._command
        for place in self._command:
            moves = moves or abs(values[place]) > source.moves_above
        if moves:
            angle = math.tau * (((stamp - self._began) / NANOSECONDS / source.period_s + source.phase) % 1.0)
            waves = math.sin(angle), math.cos(angle)
        for entry, wave in self._entries:
            values[entry] = waves[wave]


def index_of(places: Sequence[int]) -> slice | list[int]:
    """Return consecutive indices as a slice, which is faster, and other indices as a list."""
    found = list(places)
    first = found[0] if found else 0
    return slice(first, first + len(found)) if found == list(range(first, first + len(found))) else found


def _runs(entries: Sequence[tuple[int, int]]) -> list[tuple[slice, slice]]:
    """Return (index, number) pairs as pairs of slices, one for each run in which both are consecutive."""
    runs: list[tuple[slice, slice]] = []
    for place, number in entries:
        if runs and (runs[-1][0].stop, runs[-1][1].stop) == (place, number):
            places, numbers = runs.pop()
            runs.append((slice(places.start, place + 1), slice(numbers.start, number + 1)))
        else:
            runs.append((slice(place, place + 1), slice(number, number + 1)))
    return runs
