"""Decides when a policy steps: once in each of its periods, however often the robot's driver publishes."""

from velora_ros.control.newest_values import NANOSECONDS

# A state may be early by half the usual time between two states, and by at least this share of the period.
_EARLY = 0.1
# How fast the usual time between two states follows the last one, and how fast the schedule follows the states.
_FOLLOWS, _SHIFTS = 0.2, 0.1


class StepSchedule:
    """
    Chooses the states at which the policy steps: for each multiple of the period, the nearest state.

    With a driver at 500 Hz, there is one step per period. With a driver at the policy's own rate, there is one step per
    state, even if the states arrive unevenly.

    Args:
        period: time between two steps [s].
    """

    def __init__(self, period: float) -> None:
        self._period = round(period * NANOSECONDS)
        self.restart()

    def restart(self) -> None:
        """Make the next state due."""
        self._due: float | None = None
        self._last, self._usual = 0, float(self._period)

    def is_due(self, stamp: int) -> bool:
        """Return whether the policy must step at a state with this stamp [ns]; call this once for each stamp."""
        apart, self._last = stamp - self._last, stamp
        if self._due is None or apart < 0:
            self._due = None
            return True
        self._usual += _FOLLOWS * (min(apart, self._period) - self._usual)
        return stamp - self._due >= -max(self._usual / 2, _EARLY * self._period)

    def note_step(self, stamp: int) -> None:
        """Record a step at a due state; without this call, the next state is due too, because this one was unusable."""
        if self._due is None:
            self._due = stamp + self._period
            return
        late = stamp - self._due
        self._due += self._period + (_SHIFTS if late <= self._period / 2 else 1.0) * late
