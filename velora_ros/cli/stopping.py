"""Ctrl-C in training: end it cleanly, keep what was learnt; a second one stops at once."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

from velora_ros.training.callbacks import Callback, StopTraining


class StopOnRequest(Callback):
    """Ends training at the next step once :meth:`request` was called."""

    def __init__(self) -> None:
        self._reason = ''

    def request(self, reason: str) -> None:
        """Ask for the end; safe in a signal handler."""
        self._reason = reason

    def on_step(self, steps: int) -> None:
        """Stop if asked to."""
        if self._reason:
            raise StopTraining(self._reason)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopOnRequest]:
    """Turn the first SIGINT or SIGTERM into a request to stop; whatever comes after it has its usual effect."""
    stop = StopOnRequest()
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def handle(number: int, _: FrameType | None) -> None:
        restore()
        stop.request(f'stopped by {signal.Signals(number).name}')

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()
