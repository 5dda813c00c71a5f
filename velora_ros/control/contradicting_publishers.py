"""Detects two publishers with contradictory values of a signal, such as an old and a new driver."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

# Smallest and largest number of values of a signal that are examined.
_FEWEST, _MOST = 12, 60
# Two publishers alternate at least this often in a window; the values of a single one rarely do.
_TURNS = 6
# Smallest distance between the values of two publishers: in steps of each, and absolute [unit of the signal].
_APART, _FLOOR = 5.0, 0.01


class Contradictions:
    """
    Collects the values of signals that have several publishers, while :attr:`on` is set.

    Args:
        names: the names of the signals.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.on = False
        """Whether there is more than one publisher; only then, values are collected."""
        self._names = list(names)
        self._values: list[deque[float]] = [deque(maxlen=_MOST) for _ in names]

    def note(self, places: Sequence[int], values: Sequence[float]) -> None:
        """Collect the values of a message; ``places`` are the indices of their signals."""
        for place, value in zip(places, values, strict=True):
            self._values[place].append(value)

    def find(self) -> tuple[str, float, float] | None:
        """Return (signal, value, other value) of contradictory publishers, or None; drop the collected values."""
        found = None
        for name, values in zip(self._names, self._values, strict=True):
            if found is None and (pair := two_in_turns(list(values))) is not None:
                found = (name, *pair)
            values.clear()
        return found


def two_in_turns(values: Sequence[float]) -> tuple[float, float] | None:
    """
    Return the newest value of each of two interleaved sequences, or None if there is only one sequence.

    Each value is assigned to the nearer of two sequences, which begin at the largest jump. There are two sequences if
    they alternate often and their distance is much larger than the steps of each. In a single moving or noisy signal,
    the steps are as large as that distance.
    """
    jumps = [abs(after - before) for before, after in pairwise(values)]
    if len(values) < _FEWEST or not max(jumps) >= _FLOOR:  # also false for NaN
        return None
    begin = jumps.index(max(jumps))
    newest, steps, turns, apart, last = [values[begin], values[begin + 1]], 0.0, 0, 0.0, 1
    rest = [*values[begin + 2 :], *reversed(values[:begin])]
    for value in rest:
        nearer = 0 if abs(value - newest[0]) < abs(value - newest[1]) else 1
        if nearer != last:
            turns += 1
            apart += abs(value - newest[last])
        steps += abs(value - newest[nearer])
        newest[nearer], last = value, nearer
    if turns < _TURNS or apart / turns < max(_FLOOR, _APART * steps / len(rest)):
        return None
    return newest[0], newest[1]
