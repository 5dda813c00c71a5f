"""Whether the values of a signal come from two publishers that contradict each other, as a left-over driver does."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

# How many values of a signal are looked at, at least and at most.
_FEWEST, _MOST = 12, 60
# Two publishers take turns at least this often in a window; a single one that jumps back and forth seldom does.
_TURNS = 6
# The distance between the two, relative to the steps of each, and at least [unit of the signal].
_APART, _FLOOR = 5.0, 0.01


class Contradictions:
    """
    Collects what several publishers say of the same signals; it costs nothing until ``on`` is set.

    Args:
        names: what the signals are called.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.on = False
        """Whether there is more than one publisher, so that values are worth collecting."""
        self._names = list(names)
        self._values: list[deque[float]] = [deque(maxlen=_MOST) for _ in names]

    def note(self, places: Sequence[int], values: Sequence[float]) -> None:
        """Collect the values that a message has for the signals at ``places``."""
        for place, value in zip(places, values, strict=True):
            self._values[place].append(value)

    def look(self) -> tuple[str, float, float] | None:
        """Return a signal of which two values are in turns said to be true, and both values; forget the rest."""
        found = None
        for name, values in zip(self._names, self._values, strict=True):
            if found is None and (pair := two_in_turns(list(values))) is not None:
                found = (name, *pair)
            values.clear()
        return found


def two_in_turns(values: Sequence[float]) -> tuple[float, float] | None:
    """
    Return the newest value of each of two sequences that are interleaved in one, or None when it is only one.

    Each value goes to the nearer of two sequences, which begin at the largest jump. There are two when they take turns
    often and are much further apart than the steps of each. A single moving or noisy signal has steps of that size.
    """
    jumps = [abs(after - before) for before, after in pairwise(values)]
    if len(values) < _FEWEST or not max(jumps) >= _FLOOR:  # NaN neither
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
