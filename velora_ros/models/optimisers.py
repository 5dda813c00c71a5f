"""Make, save and restore torch's optimisers without loading torch's compiler."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from velora_ros.liquid.network import LiquidEncoder

_COMPILER = 'torch._dynamo'
_MARK = '__dynamo_disable'  # where torch stores the function that the compiler returned at the first call
_METHODS = ('add_param_group', 'load_state_dict', 'state_dict')


SHARE = 'share'
"""Key in a parameter group: the share of the optimiser's learning rate that the group gets."""


def with_core_rate(actor: LiquidEncoder, core_rate: float) -> Iterable[nn.Parameter] | list[dict[str, Any]]:
    """
    Return the actor's parameters for its optimiser; the recurrent layer has its own group if its rate differs.

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
    """Set the learning rate of an optimiser's first group; a group with a share gets that share of the rate."""
    for index, group in enumerate(optimizer.param_groups):
        if index == 0 or SHARE in group:
            rate = lr if index == 0 else lr * group[SHARE]
            if isinstance(group['lr'], Tensor):
                group['lr'].fill_(rate)  # a CUDA graph reads this memory
            else:
                group['lr'] = rate


def make_optimiser(
    optim: type[Optimizer], parameters: Iterable[nn.Parameter] | list[dict[str, Any]], lr: float
) -> Optimizer:
    """Make an optimiser of the class ``optim`` for parameters or parameter groups."""
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
    return tensors, [_plain_group(group) for group in state['param_groups']]


def _plain_group(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group in its CPU form; with :func:`make_capturable` its rate is a tensor on the device."""
    if not isinstance(group['lr'], Tensor):
        return dict(group)
    return {**group, 'lr': group['lr'].item(), 'capturable': False, 'fused': None}


def make_capturable(optimizer: Optimizer) -> None:
    """
    Keep rates and step counts of an optimiser on the device, where a CUDA graph reads them at each replay.

    All parameters are updated in one launch (``fused``).
    """
    for group in optimizer.param_groups:
        group['capturable'] = group['fused'] = True
        group['lr'] = torch.as_tensor(float(group['lr']), device=group['params'][0].device)
    to_device_of_parameters(optimizer, counts=True)


def make_plain(optimizer: Optimizer) -> None:
    """Undo :func:`make_capturable`, and move the state to the parameters' device."""
    for group in optimizer.param_groups:
        if isinstance(group['lr'], Tensor):
            group['lr'], group['capturable'], group['fused'] = group['lr'].item(), False, None
    for state in optimizer.state.values():
        if isinstance(state.get('step'), Tensor):
            state['step'] = state['step'].cpu()
    to_device_of_parameters(optimizer)


def to_device_of_parameters(optimizer: Optimizer, *, counts: bool = False) -> None:
    """Move the state of an optimiser to its parameters' device; the step counts only if ``counts``."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and (counts or name != 'step'):
                state[name] = value.to(parameter.device)


def restore_optimiser(
    name: str, optimizer: Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Restore the output of :func:`optimiser_state`; other tensors are ignored."""
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
    The import takes more than a second at every start, and this package does not use the compiler. Afterwards the
    methods are restored, so that nothing changes for a program that compiles its own models.
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
