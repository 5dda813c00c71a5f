"""When a policy steps: once in each of its periods, however often the robot's driver publishes."""

from velora_ros.control.newest_values import NANOSECONDS

# A state may be early by half the usual time between two states, and by at least this share of the period.
_EARLY = 0.1
# How fast the usual time follows the last one, and how fast the schedule follows the states.
_FOLLOWS, _SHIFTS = 0.2, 0.1


class StepSchedule:
    """
    Chooses the states for which the policy steps: the one nearest to each multiple of the period.

    A driver at 500 Hz gives one step per period; one at the policy's own rate gives a step for each state, even if its
    states arrive unevenly.

    Args:
        period: time between two steps [s].
    """

    def __init__(self, period: float) -> None:
        self._period = round(period * NANOSECONDS)
        self.restart()

    def restart(self) -> None:
        """Step for the next state."""
        self._due: float | None = None
        self._last, self._usual = 0, float(self._period)

    def is_due(self, stamp: int) -> bool:
        """Return whether the policy must step for a state with this stamp [ns]; call this once for each stamp."""
        apart, self._last = stamp - self._last, stamp
        if self._due is None or apart < 0:
            self._due = None
            return True
        self._usual += _FOLLOWS * (min(apart, self._period) - self._usual)
        return stamp - self._due >= -max(self._usual / 2, _EARLY * self._period)

    def note_step(self, stamp: int) -> None:
        """Record that a due state led to a step; until then every later state is due, because one may be unusable."""
        if self._due is None:
            self._due = stamp + self._period
            return
        late = stamp - self._due
        self._due += self._period + (_SHIFTS if late <= self._period / 2 else 1.0) * late
