"""torch's optimisers without torch's compiler."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from torch.optim import Optimizer

_COMPILER = 'torch._dynamo'
_MARK = '__dynamo_disable'  # where torch keeps the function that the compiler gave back at the first call
_METHODS = ('add_param_group', 'load_state_dict', 'state_dict')


@contextmanager
def without_compiler() -> Iterator[None]:
    """
    Let optimisers be made, saved and loaded inside this context without importing torch's compiler.

    torch wraps these methods so that their first call imports ``torch._dynamo``, only to exempt them from compilation.
    The import takes more than a second at every start, and nothing here is compiled by it. Afterwards the methods are
    as they were, so that a program that compiles its own models finds nothing changed.
    """
    functions = [] if _COMPILER in sys.modules else [getattr(Optimizer, name) for name in _METHODS]
    wrapped = [function.__wrapped__ for function in functions if hasattr(function, '__wrapped__')]
    marked = [function for function in wrapped if not hasattr(function, _MARK)]
    for function in marked:
        setattr(function, _MARK, function)
    try:
        yield
    finally:
        for function in marked:
            delattr(function, _MARK)
