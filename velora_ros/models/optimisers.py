"""torch's optimisers made, saved and restored without torch's compiler."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from velora_ros.liquid.network import LiquidEncoder

_COMPILER = 'torch._dynamo'
_MARK = '__dynamo_disable'  # where torch keeps the function that the compiler gave back at the first call
_METHODS = ('add_param_group', 'load_state_dict', 'state_dict')


SHARE = 'share'
"""The key of a parameter group whose learning rate is this share of the others'."""


def with_core_rate(actor: LiquidEncoder, core_rate: float) -> Iterable[nn.Parameter] | list[dict[str, Any]]:
    """
    Return the actor's parameters for its optimiser; the recurrent layer in a group of its own if its rate differs.

    Gradients through time make the recurrent layer's steps too large for the rate of the other layers (RESeL, arXiv
    2405.15384).

    Args:
        actor: the network.
        core_rate: share of the learning rate that the recurrent layer gets.
    """
    if core_rate == 1:
        return actor.parameters()
    core = list(actor.command.parameters())  # type: ignore[attr-defined]
    others = [parameter for parameter in actor.parameters() if all(parameter is not one for one in core)]
    return [{'params': others, SHARE: 1.0}, {'params': core, SHARE: core_rate}]


def set_learning_rate(optimizer: Optimizer, lr: float) -> None:
    """Set the learning rate of an optimiser's first group; one with a share gets that share of it."""
    groups = optimizer.param_groups
    groups[0]['lr'] = lr
    for group in groups[1:]:
        if SHARE in group:
            group['lr'] = lr * group[SHARE]


def make_optimiser(
    optim: type[Optimizer], parameters: Iterable[nn.Parameter] | list[dict[str, Any]], lr: float
) -> Optimizer:
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
