"""The watchdog: how long a commanded robot has sent no usable state, and when the controller must react."""

import math

from velora_ros.control.command_limits import Safety


class Watchdog:
    """
    Measures silence: the time since the last usable state, on a monotonic clock.

    Silence counts from the first usable state after a restart. If it is longer than ``watchdog_timeout``, it is a
    fault. Velocities and efforts must be zeroed earlier, as soon as the last state is older than ``max_state_age``.

    Args:
        safety: the limits; they may be replaced at any time.
    """

    def __init__(self, safety: Safety) -> None:
        self.safety = safety
        self._last_state: float | None = None
        self._zeroed = False

    def restart(self) -> None:
        """Expect no state until the next usable one."""
        self._last_state, self._zeroed = None, False

    def note_state(self, steady: float) -> None:
        """Record a usable state that arrived at a time [s]."""
        self._last_state, self._zeroed = steady, False

    def note_zeroed(self) -> None:
        """Record that velocities and efforts were zeroed; this happens once for each silence."""
        self._zeroed = True

    def silence(self, steady: float) -> float:
        """Return the time without a usable state [s]; 0 while none is expected."""
        return 0.0 if self._last_state is None else steady - self._last_state

    def until_fault(self, steady: float) -> float:
        """Return the time [s] until silence is a fault, if no state arrives."""
        return self.safety.watchdog_timeout - self.silence(steady)

    def until_zero(self, steady: float) -> float:
        """Return the time [s] until velocities and efforts must be zeroed if no state arrives; inf for never."""
        if self._zeroed or not self.safety.zeroes_at_once:
            return math.inf
        return self.safety.max_state_age - self.silence(steady)
