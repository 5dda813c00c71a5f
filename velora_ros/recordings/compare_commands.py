"""Compare recorded commands with the commands that another policy would have sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Commands:
    """
    Commands over time.

    Args:
        times: when the state of each command, or the command itself, was published, ascending, shape (n,) [ns].
        values: one row of commands for each time, in the order of the policy's actions, shape (n, action) [SI units].
    """

    times: Times
    values: Array

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True)
class Comparison:
    """
    Recorded commands and another policy's commands for the same states.

    Args:
        names: the names of the actions.
        units: their SI units; ``''`` if unknown.
        ranges: highest minus lowest command of each action, shape (action,).
        times: when each state was published, shape (n,) [s since the first].
        recorded: the recorded commands, shape (n, action).
        other: the other policy's commands, shape (n, action).
    """

    names: Sequence[str]
    units: Sequence[str]
    ranges: Array
    times: Array
    recorded: Array
    other: Array

    @property
    def differences(self) -> Array:
        """Other minus recorded, shape (n, action)."""
        difference: Array = self.other - self.recorded
        return difference

    def rows(self) -> list[dict[str, Any]]:
        """Return, for each action, the root mean square of the differences, the largest difference and its time [s]."""
        rows = []
        for k, (name, unit) in enumerate(zip(self.names, self.units, strict=True)):
            one = self.differences[:, k]
            at = int(np.abs(one).argmax()) if len(one) else -1
            rows.append(
                {
                    'action': name,
                    'unit': unit,
                    'recorded_rms': _rms(self.recorded[:, k]),
                    'other_rms': _rms(self.other[:, k]),
                    'difference_rms': _rms(one),
                    'largest': abs(float(one[at])) if len(one) else None,
                    'share_of_range': abs(float(one[at])) / float(self.ranges[k]) if len(one) else None,
                    'at_s': float(self.times[at]) if len(one) else None,
                }
            )
        return rows

    def largest_moments(self, count: int) -> list[tuple[float, int, float, float]]:
        """Return (time [s], action, recorded, other) of the ``count`` largest differences relative to the range."""
        if not len(self.times):
            return []
        relative = np.abs(self.differences) / self.ranges
        chosen = np.sort(np.argsort(relative.max(axis=1))[::-1][:count])
        actions = relative.argmax(axis=1)
        return [
            (float(self.times[i]), k, float(self.recorded[i, k]), float(self.other[i, k]))
            for i, k in zip(chosen, actions[chosen].tolist(), strict=True)
        ]


def pair_with_states(states: Times, recorded: Commands) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """
    Return which recorded command belongs to which state: indices of the states and of the commands, each ascending.

    A command belongs to the newest state that was published before it. Uncertain pairs are left out: a state with
    several commands, and a state that follows a state without a command, because that command may have been late.
    """
    places = np.searchsorted(states, recorded.times, side='right') - 1
    counts = np.bincount(places[places >= 0], minlength=len(states))
    first = int(np.argmax(counts > 0)) if counts.any() else 0
    before = np.concatenate([[1], counts[:-1]])
    before[: first + 1] = 1  # the first command
    sure = np.flatnonzero((counts == 1) & (before == 1))
    return sure.astype(np.intp), np.searchsorted(places, sure).astype(np.intp)


def _rms(values: Array) -> float | None:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else None
