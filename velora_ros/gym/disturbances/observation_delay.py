"""Observations, messages and commands that arrive late."""

from collections import deque
from typing import Generic, TypeVar

import numpy as np

from velora_ros.gym.disturbances.random_generators import Array, Mask

Item = TypeVar('Item')

EXACT = 1e-9
"""Tolerance [T]: an item due within this time counts as due, because sums of periods are not exact."""


class DelayLine(Generic[Item]):
    """A queue of items, each with the time of its arrival; no item overtakes the previous one."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Item]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Item, due: float) -> None:
        """Append an item that arrives at the time ``due``."""
        self._waiting.append((due, item))

    def take(self, now: float) -> list[Item]:
        """Remove and return the items that have arrived by ``now``, in the order in which they were appended."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now:
            arrived.append(self._waiting.popleft()[1])
        return arrived

    def clear(self) -> None:
        """Drop all items."""
        self._waiting.clear()


class ObservationDelay:
    """
    Delays the observations of n streams; the newest observation that has arrived is seen.

    Until the first delayed observation has arrived, the observation at reset is seen.

    Args:
        n: number of streams.
        size: number of observations of a stream, k.
    """

    def __init__(self, n: int, size: int) -> None:
        self._lines: list[DelayLine[Array]] = [DelayLine() for _ in range(n)]
        self._now, self._seen = np.zeros(n), np.zeros((n, size))

    def reset(self, observations: Array, mask: Mask | None = None) -> None:
        """
        Begin episodes.

        Args:
            observations: the observations at reset, shape (n, k).
            mask: the streams that are reset, shape (n,); None: all.
        """
        for stream in range(len(self._lines)) if mask is None else np.flatnonzero(mask):
            self._lines[stream].clear()
            self._now[stream], self._seen[stream] = 0.0, observations[stream]

    def step(self, observations: Array, elapsed: Array, delay: Array) -> Array:
        """
        Return the observations seen after a step, shape (n, k).

        Args:
            observations: the new observations, shape (n, k).
            elapsed: duration of the step, shape (n,) [T].
            delay: delay of the new observations, shape (n,) [T].
        """
        self._now += elapsed
        for stream, line in enumerate(self._lines):
            now = float(self._now[stream])
            line.put(observations[stream].copy(), now + float(delay[stream]))
            if arrived := line.take(now + EXACT):
                self._seen[stream] = arrived[-1]
        return self._seen.copy()
