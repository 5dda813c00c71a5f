"""Report what the process is doing when a step takes long, for example when it compiles code."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator

from velora_ros.utils.output import write_line

_listeners: list[Callable[[str], object]] = []


@contextlib.contextmanager
def listen_to_slow_steps(listener: Callable[[str], object]) -> Iterator[None]:
    """Call ``listener`` with the message of each :func:`slow_step` that takes long, instead of writing it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def slow_step(message: str, after: float = 1.5) -> Iterator[None]:
    """
    Write a message to standard error if the block takes longer than ``after`` [s].

    With a listener (:func:`listen_to_slow_steps`), the listener gets the message instead, in another thread.
    """

    def report() -> None:
        (_listeners[-1] if _listeners else functools.partial(write_line, error=True))(message)

    timer = threading.Timer(after, report)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
