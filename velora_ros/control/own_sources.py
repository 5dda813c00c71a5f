"""Observations that the controller keeps itself: the policy's previous action, and the clock of a gait."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.contract.computed_entries import ClockPlan
from velora_ros.control.newest_values import NANOSECONDS
from velora_ros.errors import ConfigError

Array = npt.NDArray[np.float64]


class OwnSource(Protocol):
    """Fills entries of an observation."""

    def begin(self, stamp: int) -> None:
        """Start again with the observation at a stamp [ns], the first after a reset of the hidden state."""

    def fill(self, values: Array, stamp: int) -> None:
        """Fill the entries in the values read for a stamp [ns], shape (values,)."""


class LastAction:
    """
    The policy's previous action, before limits.

    Args:
        entries: place in the observation and number of each action that is read.
        action: the previous action, shape (action,), kept up to date by the controller; zero after a reset.
    """

    def __init__(self, entries: Sequence[tuple[int, int]], action: Array) -> None:
        if beyond := [number for _, number in entries if number >= len(action)]:
            raise ConfigError(
                f"'observation.fields' reads action {beyond[0]}, but the policy has {len(action)}, counted from "
                '0; give a smaller number.'
            )
        self._places, self._numbers = (index_of([pair[i] for pair in entries]) for i in (0, 1))
        self._action = action

    def begin(self, stamp: int) -> None:
        """See :class:`OwnSource`; the controller has set the action to zero."""

    def fill(self, values: Array, stamp: int) -> None:
        """See :class:`OwnSource`."""
        values[self._places] = self._action[self._numbers]


class RunningClock:
    """The clock of a gait, which starts at the first observation after a reset."""

    def __init__(self, plan: ClockPlan) -> None:
        self._source, self._entries, self._command = plan.source, index_of(plan.entries), index_of(plan.command)
        self._pairs = list(zip(plan.entries, plan.waves, strict=True))
        self._runs_always = not plan.command
        self._began = 0

    def begin(self, stamp: int) -> None:
        """See :class:`OwnSource`."""
        self._began = stamp

    def fill(self, values: Array, stamp: int) -> None:
        """See :class:`OwnSource`."""
        # The same as contract.gait_clock, for one robot, in a tenth of the time; a test compares them.
        source, above = self._source, self._source.moves_above
        if not self._runs_always and not any(abs(value) > above for value in values[self._command].tolist()):
            values[self._entries] = 0.0
            return
        angle = math.tau * (((stamp - self._began) / NANOSECONDS / source.period_s + source.phase) % 1.0)
        waves = math.sin(angle), math.cos(angle)
        for entry, wave in self._pairs:
            values[entry] = waves[wave]


def index_of(places: Sequence[int]) -> slice | list[int]:
    """Return a slice for consecutive places, because it is faster, otherwise the places."""
    found = list(places)
    first = found[0] if found else 0
    return slice(first, first + len(found)) if found == list(range(first, first + len(found))) else found
