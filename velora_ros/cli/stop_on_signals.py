"""
End training cleanly on Ctrl-C, SIGTERM or a closed terminal, and keep its results.

The first signal asks training to stop; a second Ctrl-C stops the process immediately.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from velora_ros.training.callbacks import Callback, StopTraining
from velora_ros.training.records import RunState
from velora_ros.utils.termination_signals import ending_signals

PATIENCE_S = 3.0  # launch sends SIGTERM 5 s after SIGINT


class StopOnRequest(Callback):
    """
    Stops training after :meth:`request`, at the end of the current episode, where a checkpoint is exact.

    Args:
        patience: seconds after which an episode is aborted; a resumed run repeats it.
        clock: returns seconds.
    """

    def __init__(self, patience: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._deadline = float('inf')
        self.reason = ''
        """Why the stop was requested; empty before the request."""

    def request(self, reason: str) -> None:
        """Request that training stop; a signal handler may call this."""
        self.reason, self._deadline = reason, self._clock() + self._patience

    def on_step(self, steps: int) -> None:
        """Abort an episode that is still running ``patience`` seconds after the request."""
        if self.reason and self._clock() >= self._deadline:
            raise StopTraining(self.reason, by='signal')

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """Stop if a stop was requested."""
        if self.reason and not last:
            raise StopTraining(self.reason, by='signal')


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopOnRequest]:
    """
    Turn the first SIGINT, SIGTERM or SIGHUP into a request to stop. A later signal has its usual effect.

    Later SIGHUPs have no effect, because a closed terminal sends more than one. If SIGHUP was ignored, as under
    ``nohup``, it stays ignored.
    """
    stop = StopOnRequest()
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def handle(number: int, _: FrameType | None) -> None:
        if number != signal.SIGHUP:
            restore()
        if not stop.reason:
            stop.request(f'stopped by {signal.Signals(number).name}')

    for number in ending_signals():
        before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()
