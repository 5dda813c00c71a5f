"""Settings of the whole Python process that nodes change and restore: garbage collector, numpy's warnings, threads."""

import gc
import sys
import threading
from typing import Any

import numpy as np


class FrozenGarbageCollector:
    """
    Excludes the existing objects from garbage collection, which would otherwise delay a command by milliseconds.

    Several may be active in one process; the last one that ends makes all objects collectable again. If the program has
    frozen objects itself, nothing is done, because they could not be distinguished.
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
        """Make all objects collectable again if this was the last active one."""
        kind = FrozenGarbageCollector
        if not self._active:
            return
        self._active = False
        kind._users -= 1
        if not kind._users and not kind._theirs:
            gc.unfreeze()


class NoOverflowWarnings:
    """
    Keeps numpy in this thread from warning of overflows, for numbers that are tested afterwards.

    This is a setting because ``np.errstate`` around each calculation takes longer than a calculation with few numbers.
    """

    def __init__(self) -> None:
        self._before: Any = None

    def begin(self) -> None:
        """Switch the warnings off."""
        if self._before is None:
            self._before = np.seterr(all='ignore')

    def end(self) -> None:
        """Switch them on again if they were on."""
        if self._before is not None:
            np.seterr(**self._before)
            self._before = None


class ShortSwitchInterval:
    """
    Makes Python switch between threads more often, so that a computing thread delays the others less.

    Several may be active at once; the last one that ends restores the interval, unless it was changed in the meantime.

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
        """Restore the interval if this was the last active one."""
        kind = ShortSwitchInterval
        with kind._lock:
            if not self._active:
                return
            self._active = False
            kind._users -= 1
            if not kind._users and sys.getswitchinterval() == kind._set:
                sys.setswitchinterval(kind._before)
