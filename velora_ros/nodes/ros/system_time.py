"""The system time of moments on the steady clock."""

import time
from collections.abc import Callable

# The system clock was set when it moved this much against the steady one [ns]; slewing moves both.
STEP_NS = 1_000_000
# The clocks were read together when that took at most this long [ns]; a process may lose the processor in between.
TOGETHER_NS = 100_000


class SystemTime:
    """
    Tells the system time of moments on the steady clock.

    What it tells is as even as the steady clock until the system clock is set: by time synchronisation, or because the
    machine slept, when the steady clock stands still. Then it follows, or all that is stamped with it would look old
    for good.

    Args:
        system: reads the system clock [ns].
        steady: reads the steady clock [ns].
    """

    def __init__(self, system: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        self._system, self._steady = system, steady
        self._offset = system() - steady()

    def of(self, moment: float) -> int:
        """Return the system time [ns] of a moment on the steady clock [s]."""
        before = self._steady()
        offset = self._system() - before
        together = self._steady() - before <= TOGETHER_NS
        if together and abs(offset - self._offset) > STEP_NS:
            self._offset = offset
        return self._offset + round(moment * 1e9)
