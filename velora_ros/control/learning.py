"""What a run shows of a controller that learns meanwhile: returns by the minute, and the swaps of its policies."""

from collections import deque

MINUTE_S = 60.0


class MinuteReturns:
    """
    Returns and falls of the first and of the last minute in which the robot moved.

    A minute's return is the reward collected in it, over the number of episodes in which that was: an episode counts
    with what it earned within the minute, whether it ended or still runs. So a pole that falls every second has a low
    return, and one that stands for the whole minute the highest there is. A shorter run is a shorter minute.
    """

    def __init__(self) -> None:
        self._first_total = 0.0
        self._first_episodes: set[int] = set()
        self._recent: deque[tuple[float, float, int]] = deque()
        self._falls: deque[float] = deque()

    def reward(self, time: float, value: float, episode: int) -> None:
        """
        Note a reward.

        Args:
            time: how long the robot has moved [s].
            value: the reward.
            episode: a number that each episode has for itself.
        """
        if time <= MINUTE_S:
            self._first_total += value
            self._first_episodes.add(episode)
        self._recent.append((time, value, episode))
        while self._recent[0][0] <= time - MINUTE_S:
            self._recent.popleft()

    def fall(self, time: float) -> None:
        """Note that the robot fell, after it had moved for so long [s]."""
        self._falls.append(time)

    @property
    def first(self) -> float:
        """Return of the first minute."""
        return self._first_total / max(len(self._first_episodes), 1)

    @property
    def last(self) -> float:
        """Return of the last minute."""
        return sum(value for _, value, _ in self._recent) / max(len({episode for *_, episode in self._recent}), 1)

    def falls(self, time: float) -> int:
        """Return how often the robot fell in the last minute before a time [s]."""
        return sum(fall > time - MINUTE_S for fall in self._falls)


class Swaps:
    """
    How many policies were swapped in, and what that did to the commands.

    The controller tells its count once a second, so a swap lies within the second in which the count rose or within the
    one before; both are looked at.
    """

    def __init__(self) -> None:
        self.count = 0
        """Policies swapped in so far."""
        self.missed = 0
        """States without a command in those seconds."""
        self.latency_max_us = 0.0
        """Longest time from a state to its command in those seconds [us]."""
        self._before = 0, 0.0
        self._missed = 0

    def second(self, count: int, missed: int, latency_max_us: float) -> None:
        """
        Note a second.

        Args:
            count: policies swapped in so far, as the controller says.
            missed: states without a command so far.
            latency_max_us: longest time from a state to its command in this second [us].
        """
        new, self._missed = missed - self._missed, missed
        if count > self.count:
            self.missed += self._before[0] + new
            self.latency_max_us = max(self.latency_max_us, self._before[1], latency_max_us)
            new = 0  # counted
        self.count = max(self.count, count)
        self._before = new, latency_max_us
