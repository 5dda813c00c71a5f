"""Keeps simulated time in step with a clock, whose readings are passed in."""

import math


class RealTimePacer:
    """
    Computes the time that the simulation should have reached, and drops delay that it cannot catch up.

    A simulation that is at most ``max_lag`` late catches up. Beyond that, whole periods of the delay are dropped:
    simulated time slips against the clock, which is counted as an overrun. Otherwise a machine that is too slow, or was
    suspended, would publish a burst of old states.

    Args:
        period: delays are dropped in multiples of this period, so that a timer of this period keeps its phase [s].
        max_lag: the largest delay that is caught up [s].
    """

    def __init__(self, period: float, max_lag: float) -> None:
        self._period = period
        self._max_lag = max_lag
        self._start, self._factor = 0.0, 1.0
        self.overruns = 0
        """Number of times that simulated time slipped."""
        self.slipped = 0.0
        """Sum of all slips [s]."""

    def start(self, now: float, time: float) -> None:
        """
        Synchronise simulated time with the clock, at the start and after a pause.

        Args:
            now: the time on the clock [s].
            time: simulated time [s].
        """
        self._start = now - time / self._factor

    @property
    def factor(self) -> float:
        """Simulated seconds in a second of the clock."""
        return self._factor

    def set_factor(self, factor: float, now: float) -> None:
        """Change the speed of simulated time, beginning at the clock's time ``now`` [s]."""
        self._start = now - (now - self._start) * self._factor / factor
        self._factor = factor

    def due(self, time: float) -> float:
        """Return the time on the clock when the simulation should reach this simulated time [s]."""
        return self._start + time / self._factor

    def target(self, now: float, time: float) -> float:
        """
        Return the simulated time to advance to [s].

        Args:
            now: the time on the clock [s].
            time: simulated time reached so far [s].
        """
        lag = now - self.due(time)
        if lag > self._max_lag:
            drop = math.ceil((lag - self._max_lag) / self._period) * self._period
            self.overruns += 1
            self.slipped += drop
            self._start += drop
        return (now - self._start) * self._factor
