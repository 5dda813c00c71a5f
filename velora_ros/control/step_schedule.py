"""When a policy steps: once for each of its periods, however often the robot's driver publishes."""

from velora_ros.control.newest_values import NANOSECONDS

# A state may come early by half the time between two states, and by at least this share of the period.
_EARLY = 0.1


class StepSchedule:
    """
    Chooses the states that are answered: of all states the one nearest to each multiple of the period.

    A driver at 500 Hz gives one step for each period; one at the policy's own rate gives a step for each state, also
    if its states come unevenly.

    Args:
        period: time between two steps [s].
    """

    def __init__(self, period: float) -> None:
        self._period = round(period * NANOSECONDS)
        self.restart()

    def restart(self) -> None:
        """Answer the next state."""
        self._due: int | None = None
        self._last = 0

    def is_due(self, stamp: int) -> bool:
        """Return whether a state that was measured at a stamp [ns] is to be answered; each stamp is asked for once."""
        apart, self._last = stamp - self._last, stamp
        if self._due is None or apart < 0:
            self._due = stamp + self._period
            return True
        early = max(min(apart, self._period) / 2, _EARLY * self._period)
        if stamp < self._due - early:
            return False
        late = stamp - self._due
        self._due += self._period if late <= self._period // 2 else late + self._period
        return True
