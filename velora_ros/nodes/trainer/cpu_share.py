"""Leaves processor time to other processes: training keeps off some CPUs and has a lower priority."""

import contextlib
import os
from pathlib import Path

LOWEST_PRIORITY = 19


def leave_cpus(count: int) -> None:
    """
    Leave the first ``count`` CPUs to other processes; at least one usable CPU is kept.

    Call it before threads are started, because existing threads keep all CPUs.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if count:
        os.sched_setaffinity(0, allowed[min(count, len(allowed) - 1) :])


def lower_priority(niceness: int) -> None:
    """Add a niceness to every thread of this process; on Linux each has its own, and ``os.nice`` changes only one."""
    for thread in _threads():
        with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(own + niceness, LOWEST_PRIORITY))


def _threads() -> list[int]:
    """Return the ids of the threads of this process."""
    return [int(path.name) for path in Path('/proc/self/task').iterdir()]
