"""Handles states that arrive in several messages: finds parts that belong together, and parts that are rare."""

import math
from collections.abc import Sequence

# The stamps of the parts of one state differ by at most this share of their period.
_TOGETHER = 0.6
# States do not wait for a part whose rate is below this share of the rate of the most frequent part.
_SLOW = 0.75
# Rates are compared after this many states; while a state is incomplete, after this many messages of one part.
_CYCLES, _EARLY = 32, 8


class PartialStates:
    """
    Detects when all parts of a state have arrived. In masks, one bit stands for each signal.

    Args:
        count: the number of signals.
    """

    def __init__(self, count: int) -> None:
        self.complete_once = False
        """Whether a state was ever complete."""
        self.messages = 1
        """Number of messages in the last complete state."""
        self._all = self._required = (1 << count) - 1
        self._counts = [0] * count  # updates of each signal since the rates were last compared
        self._fresh = 0  # the signals that arrived since the last complete state
        self._stamps: list[tuple[int, int]] = []  # mask and stamp of each part that arrived since then
        self._taken = self._cycles = 0

    def forget(self) -> None:
        """Begin a new state; the rates of the parts are kept."""
        self._fresh = self._taken = 0
        self._stamps = []

    def repeats(self, mask: int) -> bool:
        """Return whether the part with this mask has arrived before, although the state is not complete yet."""
        return bool(self._fresh & mask & self._required)

    def missing(self) -> list[int]:
        """Return the indices of the signals that the state still needs."""
        absent = self._required & ~self._fresh
        return [place for place in range(len(self._counts)) if absent >> place & 1]

    def add(self, mask: int, places: Sequence[int], stamp: int, before: int | None) -> bool:
        """
        Add a part; return whether it completes the state.

        Args:
            mask: the mask of the part's signals.
            places: the indices of these signals.
            stamp: when the part was measured [ns].
            before: the previous stamp of the same part [ns]; None for the first.
        """
        # Parts of one state are closer in time than this: half a period and a margin for jitter.
        backwards = before is not None and stamp < before
        apart = math.inf if before is None or backwards else _TOGETHER * (stamp - before)
        self._stamps = [
            (other & ~mask, when)
            for other, when in self._stamps
            if other & ~mask and abs(stamp - when) <= apart and not (backwards and when > stamp)
        ]
        self._stamps.append((mask, stamp))
        if self._fresh & mask:
            self._cycles += 1
        self._fresh = 0
        for other, _ in self._stamps:
            self._fresh |= other
        self._taken += 1
        for place in places:
            self._counts[place] += 1
        self._compare_rates()
        if self._required & ~self._fresh or not mask & self._required:
            return False
        self.messages = self._taken
        self._cycles += 1
        self.complete_once = True
        self.forget()
        return True

    def _compare_rates(self) -> None:
        """Find the parts that arrive much less often than the others, so that no state waits for them."""
        fastest = max(self._counts)
        waits = bool(self._required & ~self._fresh) and fastest >= _EARLY
        if self._cycles < _CYCLES and not (waits and self._lag(fastest)):
            return
        slow = sum(1 << place for place, count in enumerate(self._counts) if count < _SLOW * fastest)
        self._required = self._all & ~slow
        if self._cycles >= _CYCLES:
            self._counts, self._cycles = [0] * len(self._counts), 0

    def _lag(self, fastest: int) -> bool:
        absent = self._required & ~self._fresh
        return any(absent >> place & 1 and count < _SLOW * fastest for place, count in enumerate(self._counts))
