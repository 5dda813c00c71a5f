"""The processor as training wants it: one thread, and no denormal numbers in the networks' arithmetic."""

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
    Run torch and numpy on one thread inside the block; both are put back, whatever happens.

    Networks this small are slower on many threads than on one.
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
    Have a function flush denormal numbers to zero while it runs, in its thread alone; the mode of before comes back.

    Gradients that fade away (of a neuron that has died, say) leave denormal numbers in Adam's moments, and with them
    every update takes several times as long. The mode belongs to the processor, not to torch: in it the physics of an
    environment and the code of a callback would compute other numbers too, so only the learner's own work is in it.
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
    """Say whether this thread flushes denormal numbers to zero now; torch can set the mode, but not tell it."""
    return sys.float_info.min / 2 == 0.0
