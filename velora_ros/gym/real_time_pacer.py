"""Keeps simulated time in step with a clock that is handed in."""

import math


class RealTimePacer:
    """
    Says how far the simulation should have got, and gives up what it cannot catch up.

    A late simulation catches up as long as it is at most ``max_lag`` behind. Beyond that whole periods of the lateness
    are dropped: simulated time slips against the clock, which is counted as an overrun. Without that, a machine that is
    too slow or was asleep would show the robot a burst of old states.

    Args:
        period: what is dropped is a multiple of it, so that a timer of this period keeps its phase [s].
        max_lag: largest lateness that is caught up [s].
    """

    def __init__(self, period: float, max_lag: float) -> None:
        self._period = period
        self._max_lag = max_lag
        self._start, self._factor = 0.0, 1.0
        self.overruns = 0
        """How often simulated time slipped."""
        self.slipped = 0.0
        """By how much in all [s]."""

    def start(self, now: float, time: float) -> None:
        """
        Tie simulated time to the clock, at the start and after a pause.

        Args:
            now: the clock [s].
            time: simulated time [s].
        """
        self._start = now - time / self._factor

    @property
    def factor(self) -> float:
        """How much simulated time passes in a second of the clock."""
        return self._factor

    def set_factor(self, factor: float, now: float) -> None:
        """Let simulated time go on at another speed from ``now`` on the clock [s]."""
        self._start = now - (now - self._start) * self._factor / factor
        self._factor = factor

    def due(self, time: float) -> float:
        """Return when, on the clock, the simulation is to reach this simulated time [s]."""
        return self._start + time / self._factor

    def target(self, now: float, time: float) -> float:
        """
        Return the simulated time to advance to [s].

        Args:
            now: the clock [s].
            time: simulated time reached so far [s].
        """
        lag = now - self.due(time)
        if lag > self._max_lag:
            drop = math.ceil((lag - self._max_lag) / self._period) * self._period
            self.overruns += 1
            self.slipped += drop
            self._start += drop
        return (now - self._start) * self._factor
