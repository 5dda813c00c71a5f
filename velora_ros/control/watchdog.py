"""The watchdog: measures how long no usable state has arrived, and when the controller must react."""

import math

from velora_ros.control.command_limits import Safety


class Watchdog:
    """
    Measures silence: the time since the last usable state, on a monotonic clock.

    Silence counts from the first usable state after a restart. A silence longer than ``watchdog_timeout`` is a fault.
    Velocities and efforts must be set to zero earlier, as soon as the last state is older than ``max_state_age``.

    Args:
        safety: the limits; they may be replaced at any time.
    """

    def __init__(self, safety: Safety) -> None:
        self.safety = safety
        self._last_state: float | None = None
        self._zeroed = False

    def restart(self) -> None:
        """Stop measuring silence until the next usable state arrives."""
        self._last_state, self._zeroed = None, False

    def note_state(self, steady: float) -> None:
        """Record that a usable state arrived at the time ``steady`` [s]."""
        self._last_state, self._zeroed = steady, False

    def note_zeroed(self) -> None:
        """Record that velocities and efforts were set to zero; this happens once in each silence."""
        self._zeroed = True

    def silence(self, steady: float) -> float:
        """Return the time since the last usable state [s]; 0 while silence is not measured."""
        return 0.0 if self._last_state is None else steady - self._last_state

    def until_fault(self, steady: float) -> float:
        """Return the time [s] until the silence is a fault, if no state arrives."""
        return self.safety.watchdog_timeout - self.silence(steady)

    def until_zero(self, steady: float) -> float:
        """Return the time [s] until velocities and efforts must be set to zero if no state arrives; inf if never."""
        if self._zeroed or not self.safety.zeroes_at_once:
            return math.inf
        return self.safety.max_state_age - self.silence(steady)
