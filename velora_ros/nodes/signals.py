"""The signals that end a node or a run in order."""

import signal
from collections.abc import Callable
from types import FrameType

# A terminal that is closed, or a lost connection to a robot, sends SIGHUP: a reason to stop like any other.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def on_signal(number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle a signal; ``nohup`` has SIGHUP ignored, and it stays so."""
    if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, handler)
