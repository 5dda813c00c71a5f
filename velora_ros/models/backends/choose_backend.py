"""Which backend an agent computes with, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.optim import Optimizer

from velora_ros.errors import ConfigError
from velora_ros.liquid.cell_registry import cell_kind
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.protocol import Backend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.models.optimisers import SHARE
from velora_ros.training import TrainConfig

LARGE_UPDATE = 1e8
"""
An update with at least this many operations, by :func:`operations`, is large.

A large update takes more than a millisecond on one core (80 GFLOP/s). Two critics then learn on two threads, which
costs 0.05 ms, and CUDA, whose updates take at least a millisecond whatever their size, is faster than the CPU.
"""

PLAIN_ADAM = {'weight_decay': 0, 'amsgrad': False, 'maximize': False}


@dataclass(frozen=True)
class Choice:
    """
    The chosen backend.

    Args:
        name: ``torch`` or ``numba``.
        reason: why it was chosen, as a clause.
        threads: number of threads that an update uses.
    """

    name: str
    reason: str
    threads: int = 1

    def __str__(self) -> str:
        """Return the line for the log."""
        threads = f', {self.threads} threads' if self.threads > 1 else ''
        return f'backend {self.name}{threads}: {self.reason}'


def choose_backend(config: TrainConfig, networks: Networks, optimizers: Sequence[Optimizer]) -> Choice:
    """
    Choose a backend: the requested backend, otherwise numba if it can run the agent.

    Args:
        config: ``backend`` and ``cell``.
        networks: the agent's networks.
        optimizers: the optimisers of the actor and of the critics.

    Raises:
        ConfigError: numba was requested and cannot run this agent; the message says why.
    """
    if config.backend == 'torch':
        return Choice('torch', 'it was requested')
    why_not = why_not_numba(config, networks, optimizers)
    if config.backend == 'numba':
        if why_not:
            raise ConfigError(f"backend is 'numba', but {why_not}; use backend='torch', or 'auto'.")
        return Choice('numba', 'it was requested', threads_of_numba(config, networks))
    if why_not:
        return Choice('torch', why_not)
    reason = 'small networks on the CPU run faster in compiled loops'
    return Choice('numba', reason, threads_of_numba(config, networks))


def operations(config: TrainConfig, networks: Networks) -> float:
    """
    Return the approximate number of operations of an update, from the sizes alone.

    A forward pass takes two operations per weight and transition, a backward pass twice as many. The target critics run
    once, each critic once in both directions, and the first once more for the actor; the actor once in both directions,
    and its target twice.
    """
    critics, actor = (
        sum(parameter.numel() for parameter in module.parameters())
        for module in (networks.critic_side(), networks.actor)
    )
    one = sum(parameter.numel() for parameter in networks.critics[0].parameters())
    return 2.0 * config.batch_size * (4 * critics + 2 * one + 5 * actor)


def threads_of_numba(config: TrainConfig, networks: Networks) -> int:
    """Return the number of threads: 2 for two critics and large updates, otherwise 1. The results are identical."""
    return 2 if len(networks.critics) > 1 and operations(config, networks) >= LARGE_UPDATE else 1


def where_to_learn(
    device: torch.device, config: TrainConfig, networks: Networks, optimizers: Sequence[Optimizer]
) -> torch.device:
    """Return the device to act and learn on: the requested device, or the CPU if CUDA would be slower."""
    small = operations(config, networks) < LARGE_UPDATE
    can = not why_not_numba(config, networks, optimizers, torch.device('cpu'))
    return torch.device('cpu') if device.type != 'cpu' and config.backend != 'torch' and small and can else device


def why_not_numba(
    config: TrainConfig, networks: Networks, optimizers: Sequence[Optimizer], device: torch.device | None = None
) -> str:
    """Return the first reason why numba cannot run an agent (on a device), as a clause; empty if it can."""
    device = device or networks.device
    other = [type(optimizer).__name__ for optimizer in optimizers if not is_plain_adam(optimizer)]
    dtypes = {parameter.dtype for parameter in networks.parameters()} - {torch.float32}
    reasons = {
        f"numba has no kernels for the cell '{config.cell}'": not cell_kind(config.cell).kernels,
        f'numba computes on the CPU, but the device is {device}': device.type != 'cpu',
        f'numba computes plain Adam, but the optimiser is {" and ".join(sorted(set(other)))}': bool(other),
        f'numba computes in float32, but the networks have {", ".join(map(str, dtypes))}': bool(dtypes),
    }
    return next((reason for reason, holds in reasons.items() if holds), '')


def is_plain_adam(optimizer: Optimizer) -> bool:
    """Return whether the compiled Adam computes exactly what this optimiser does."""
    groups = optimizer.param_groups
    return (
        type(optimizer) is torch.optim.Adam
        and (len(groups) == 1 or all(SHARE in group for group in groups))
        and all(group[name] == value for group in groups for name, value in PLAIN_ADAM.items())
    )


def make_backend(
    choice: Choice, networks: Networks, actor_optimizer: Optimizer, critic_optimizer: Optimizer
) -> Backend:
    """Make the chosen backend."""
    if choice.name == 'torch':
        for optimizer in (actor_optimizer, critic_optimizer):
            for state in optimizer.state.values():
                if 'step' in state:  # numba, if it ran before, shares one counter among all parameters
                    state['step'] = state['step'].clone()
        return TorchBackend(networks, actor_optimizer, critic_optimizer)
    assert isinstance(actor_optimizer, torch.optim.Adam)
    assert isinstance(critic_optimizer, torch.optim.Adam)
    return NumbaBackend(networks, actor_optimizer, critic_optimizer, threads=choice.threads)
