"""torch's settings while it trains: one thread, and denormal numbers flushed to zero."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import torch
from threadpoolctl import threadpool_limits

Arguments = ParamSpec('Arguments')
Result = TypeVar('Result')


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """
    Run torch and numpy on one thread inside the block; both settings are restored afterwards.

    Small networks are slower on many threads than on a single thread.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def flushing(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """
    Make a function flush denormal numbers to zero while it runs, only in its thread; the mode is restored afterwards.

    Vanishing gradients, for example of a dead neuron, leave denormal numbers in Adam's moments, and every update then
    takes several times as long. The mode is the processor's, not torch's: it would also change the numbers that
    environments and callbacks compute. So only the agent's own functions use it.
    """

    @functools.wraps(function)
    def flushed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if flushes_denormals():
            return function(*args, **kwargs)
        torch.set_flush_denormal(True)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_flush_denormal(False)

    return flushed


def flushes_denormals() -> bool:
    """Return whether this thread flushes denormal numbers to zero; torch can set the mode, but not read it."""
    return sys.float_info.min / 2 == 0.0
