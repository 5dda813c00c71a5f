"""The metrics of one simulated robot while it runs, episode by episode, for the score of its task."""

from collections import deque
from collections.abc import Mapping
from itertools import islice

import numpy as np
import numpy.typing as npt

from velora_ros.tasks.record_episodes import Recording

Array = npt.NDArray[np.float64]

LONGEST_S = 3600.0
"""Older steps are dropped [s]."""


class LiveMetrics:
    """
    Collects the metrics of each step; the result is a recording with one column for each episode.

    Args:
        period: time between two steps [s].
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._rows: deque[npt.NDArray[np.float32]] = deque(maxlen=round(LONGEST_S / period))
        self._episodes: deque[int] = deque(maxlen=self._rows.maxlen)
        self._failed: dict[int, str] = {}
        self._returns: dict[int, float] = {}
        self._episode = 0

    def __len__(self) -> int:
        return len(self._rows)

    def step(self, metrics: Mapping[str, Array], reward: float) -> None:
        """
        Record a step.

        Args:
            metrics: the task's metrics of one simulation, each of shape (1, ...).
            reward: the reward of the step.
        """
        if not self._shapes:
            self._shapes = {name: values.shape[1:] for name, values in metrics.items()}
        self._rows.append(np.concatenate([np.ravel(values) for values in metrics.values()], dtype=np.float32))
        self._episodes.append(self._episode)
        self._returns[self._episode] = self._returns.get(self._episode, 0.0) + reward

    def fail(self, reason: str) -> None:
        """Record that the current episode failed, and which term ended it."""
        self._failed[self._episode] = reason

    def begin(self) -> None:
        """Begin another episode, and forget those whose steps were dropped."""
        self._episode += 1
        oldest = self._episodes[0] if self._episodes else self._episode
        for table in (self._failed, self._returns):
            for episode in [one for one in table if one < oldest]:
                del table[episode]

    def all(self) -> Recording | None:
        """Return the whole recording; None if there is no step."""
        return self._recording(-len(self._rows), 0)

    def last(self, seconds: float) -> Recording | None:
        """Return the recording of the last seconds; None if there is no step."""
        return self._recording(-int(min(len(self._rows), seconds / self._period)), 0)

    def running(self) -> Recording | None:
        """Return the recording of the current episode; None if it has no step."""
        return self._recording(-self._length_of_running(), 0)

    def finished(self) -> Recording | None:
        """Return the recording of the episodes that have ended; None if there is none."""
        return self._recording(-len(self._rows), -self._length_of_running())

    def _length_of_running(self) -> int:
        if self._episode in self._failed:
            return 0
        count = 0
        for episode in reversed(self._episodes):
            if episode != self._episode:
                break
            count += 1
        return count

    def _recording(self, start: int, stop: int) -> Recording | None:
        """Return the last steps, one column for each of their episodes; None if there are none."""
        if start >= stop:
            return None
        length = len(self._rows)
        rows = np.array(list(islice(self._rows, length + start, length + stop)), np.float64)
        numbers = np.array(list(islice(self._episodes, length + start, length + stop)))
        episodes, lengths = np.unique(numbers, return_counts=True)
        alive = np.arange(lengths.max())[:, None] < lengths
        table = np.zeros((*alive.shape, rows.shape[1]))
        for column, episode in enumerate(episodes):
            table[: lengths[column], column] = rows[numbers == episode]
        failed = np.array([episode in self._failed for episode in episodes])
        reasons = [self._failed.get(episode, '') for episode in episodes.tolist()]
        failures = {reason: np.array([one == reason for one in reasons]) for reason in sorted(set(reasons)) if reason}
        returns = np.array([self._returns[episode] for episode in episodes.tolist()])
        return Recording(self._period, alive, failed, returns, self._split(table), failures)

    def _split(self, table: Array) -> dict[str, Array]:
        """Return the columns of a table, shape (steps, episodes, values), by metric."""
        found, start = {}, 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            found[name] = table[:, :, start : start + size].reshape(*table.shape[:2], *shape)
            start += size
        return found
