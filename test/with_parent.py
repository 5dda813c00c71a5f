"""Starts processes that end with the tests: a killed pytest closes nothing, and its nodes would hold a ROS domain."""

import os
import sys

# SIGTERM when the process that started this one is gone (PR_SET_PDEATHSIG); execvp keeps it.
LAUNCHER = (
    'import ctypes, os, signal, sys; '
    'ctypes.CDLL(None).prctl(1, signal.SIGTERM); '
    'os.getppid() == int(sys.argv[1]) or sys.exit(1); '
    'os.execvp(sys.argv[2], sys.argv[2:])'
)


def with_parent(command):
    """The same command for subprocess, which Linux ends with SIGTERM when the process that starts it ends."""
    return [sys.executable, '-S', '-c', LAUNCHER, str(os.getpid()), *map(str, command)]
