"""Ctrl-C or a closed terminal in training: end it cleanly, keep what was learnt; a second Ctrl-C stops at once."""

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
    Ends training once :meth:`request` was called, at the end of the running episode: there a checkpoint is exact.

    Args:
        patience: an episode that goes on for longer is broken off, and is run again when the run is resumed [s].
        clock: seconds.
    """

    def __init__(self, patience: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._deadline = float('inf')
        self.reason = ''
        """Why it was asked for; empty while it was not."""

    def request(self, reason: str) -> None:
        """Ask for the end; safe in a signal handler."""
        self.reason, self._deadline = reason, self._clock() + self._patience

    def on_step(self, steps: int) -> None:
        """Break the episode off if it goes on for too long."""
        if self.reason and self._clock() >= self._deadline:
            raise StopTraining(self.reason, by='signal')

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """Stop if asked to."""
        if self.reason and not last:
            raise StopTraining(self.reason, by='signal')


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopOnRequest]:
    """
    Turn the first SIGINT, SIGTERM or SIGHUP into a request to stop; whatever comes after it has its usual effect.

    A closed terminal sends SIGHUP, more than once; where that is ignored, as under ``nohup``, it stays so.
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
