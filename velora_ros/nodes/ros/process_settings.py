"""Settings of the whole Python process that a node changes while it needs them, and puts back."""

import gc
import sys
import threading


class FrozenGarbageCollector:
    """
    Keeps the collector from looking through what there is, which would hold up a command for milliseconds.

    Several may be in force at once, in one process; the last one that ends lets the collector see everything again. A
    program that has frozen objects itself is left alone: what it froze could not be told from ours.
    """

    _users = 0
    _theirs = False

    def __init__(self) -> None:
        self._in_force = False

    def begin(self) -> None:
        """Freeze what there is now; what an earlier call froze and nobody uses any more is collected first."""
        kind = FrozenGarbageCollector
        if not kind._users and not self._in_force:
            kind._theirs = gc.get_freeze_count() > 0
        if not self._in_force:
            kind._users += 1
            self._in_force = True
        if not kind._theirs:
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def end(self) -> None:
        """Put the collector back if this was the last one."""
        kind = FrozenGarbageCollector
        if not self._in_force:
            return
        self._in_force = False
        kind._users -= 1
        if not kind._users and not kind._theirs:
            gc.unfreeze()


class ShortSwitchInterval:
    """
    Has Python change between threads more often, so that a thread that computes holds up the others less.

    Several may be in force at once; the last one that ends puts the interval back, unless it was changed meanwhile.
    """

    _lock = threading.Lock()
    _users = 0
    _before = 0.0
    _set = 0.0

    def __init__(self, seconds: float) -> None:
        self._seconds, self._in_force = seconds, False

    def begin(self) -> None:
        """Set the interval; a second call changes nothing."""
        kind = ShortSwitchInterval
        with kind._lock:
            if self._in_force:
                return
            if not kind._users:
                kind._before = sys.getswitchinterval()
                sys.setswitchinterval(self._seconds)
                kind._set = sys.getswitchinterval()  # rounded to whole microseconds
            kind._users += 1
            self._in_force = True

    def end(self) -> None:
        """Put the interval back if this was the last one."""
        kind = ShortSwitchInterval
        with kind._lock:
            if not self._in_force:
                return
            self._in_force = False
            kind._users -= 1
            if not kind._users and sys.getswitchinterval() == kind._set:
                sys.setswitchinterval(kind._before)
