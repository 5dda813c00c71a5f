"""Leaves processor time to other processes: keeps training off some CPUs and lowers its priority."""

import contextlib
import os
from pathlib import Path

LOWEST_PRIORITY = 19


def leave_cpus(count: int) -> None:
    """
    Leave the first ``count`` usable CPUs to other processes; this process keeps at least one CPU.

    Call this before threads are started, because existing threads keep all CPUs.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if count:
        os.sched_setaffinity(0, allowed[min(count, len(allowed) - 1) :])


def lower_priority(niceness: int) -> None:
    """Add ``niceness`` to every thread of this process; on Linux, ``os.nice`` changes only the calling thread."""
    for thread in _threads():
        with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(own + niceness, LOWEST_PRIORITY))


def _threads() -> list[int]:
    """Return the ids of the threads of this process."""
    return [int(path.name) for path in Path('/proc/self/task').iterdir()]
