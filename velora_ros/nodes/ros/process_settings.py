"""Settings of the whole Python process that nodes change and restore: garbage collector, numpy's warnings, threads."""

import gc
import sys
import threading
from typing import Any

import numpy as np


class FrozenGarbageCollector:
    """
    Excludes the existing objects from garbage collection, which would otherwise delay a command by milliseconds.

    Several instances may be active in one process; the last one that ends makes all objects collectable again. If the
    program itself has frozen objects, this class does nothing, because it could not tell them from its own.
    """

    _users = 0
    _theirs = False

    def __init__(self) -> None:
        self._active = False

    def begin(self) -> None:
        """Freeze the objects that exist now; unused ones that an earlier call froze are collected first."""
        kind = FrozenGarbageCollector
        if not kind._users and not self._active:
            kind._theirs = gc.get_freeze_count() > 0
        if not self._active:
            kind._users += 1
            self._active = True
        if not kind._theirs:
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def end(self) -> None:
        """Make all objects collectable again if this was the last active instance."""
        kind = FrozenGarbageCollector
        if not self._active:
            return
        self._active = False
        kind._users -= 1
        if not kind._users and not kind._theirs:
            gc.unfreeze()


class NoOverflowWarnings:
    """
    Switches off numpy's floating-point warnings in this thread; its results are tested for NaN and infinity instead.

    For a calculation with few numbers, ``np.errstate`` would take longer than the calculation itself.
    """

    def __init__(self) -> None:
        self._before: Any = None

    def begin(self) -> None:
        """Switch the warnings off."""
        if self._before is None:
            self._before = np.seterr(all='ignore')

    def end(self) -> None:
        """Restore the warnings as they were before :meth:`begin`."""
        if self._before is not None:
            np.seterr(**self._before)
            self._before = None


class ShortSwitchInterval:
    """
    Makes Python switch between threads more often, so that a computing thread delays the others less.

    Several instances may be active at once. The last one that ends restores the earlier interval, unless other code has
    changed it meanwhile.

    Args:
        seconds: the switch interval [s].
    """

    _lock = threading.Lock()
    _users = 0
    _before = 0.0
    _set = 0.0

    def __init__(self, seconds: float) -> None:
        self._seconds, self._active = seconds, False

    def begin(self) -> None:
        """Set the interval; a second call changes nothing."""
        kind = ShortSwitchInterval
        with kind._lock:
            if self._active:
                return
            if not kind._users:
                kind._before = sys.getswitchinterval()
                sys.setswitchinterval(self._seconds)
                kind._set = sys.getswitchinterval()  # rounded to whole microseconds
            kind._users += 1
            self._active = True

    def end(self) -> None:
        """Restore the interval if this was the last active instance."""
        kind = ShortSwitchInterval
        with kind._lock:
            if not self._active:
                return
            self._active = False
            kind._users -= 1
            if not kind._users and sys.getswitchinterval() == kind._set:
                sys.setswitchinterval(kind._before)
