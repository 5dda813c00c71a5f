"""torch's optimisers made, saved and restored without torch's compiler."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_COMPILER = 'torch._dynamo'
_MARK = '__dynamo_disable'  # where torch keeps the function that the compiler gave back at the first call
_METHODS = ('add_param_group', 'load_state_dict', 'state_dict')


def make_optimiser(optim: type[Optimizer], parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
    """Make an optimiser of a class."""
    make: Any = optim  # optimisers share no typed constructor
    with without_compiler():
        made: Optimizer = make(parameters, lr=lr)
    return made


def optimiser_state(name: str, optimizer: Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Return the tensors of an optimiser's state, called ``name.index.key``, and its JSON-ready groups."""
    with without_compiler():
        state = optimizer.state_dict()
    tensors = {
        f'{name}.{index}.{key}': torch.as_tensor(value)
        for index, values in state['state'].items()
        for key, value in values.items()
    }
    return tensors, state['param_groups']


def restore_optimiser(
    name: str, optimizer: Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Restore what :func:`optimiser_state` returned; other tensors are ignored."""
    state: dict[int, dict[str, Tensor]] = {}
    for full, value in tensors.items():
        if full.startswith(f'{name}.'):
            _, index, key = full.split('.', 2)
            state.setdefault(int(index), {})[key] = value
    with without_compiler():
        optimizer.load_state_dict({'state': state, 'param_groups': groups})


@contextmanager
def without_compiler() -> Iterator[None]:
    """
    Keep torch from importing its compiler while optimisers are made, saved and loaded in this context.

    torch wraps these methods so that their first call imports ``torch._dynamo``, only to exempt them from compilation.
    The import takes more than a second at every start, and nothing here is compiled by it. Afterwards the methods are
    as before, so that nothing changes for a program that compiles its own models.
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
