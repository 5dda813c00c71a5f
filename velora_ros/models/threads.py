"""The processor as training wants it: one thread, and no denormal numbers."""

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """
    Run torch and numpy on one thread inside the block, denormals flushed to zero; both are put back, whatever happens.

    Networks this small are slower on many threads than on one. Gradients that fade away (of a neuron that has died,
    say) leave denormal numbers in Adam's moments, and with them every update takes several times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
