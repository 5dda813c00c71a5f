"""Which backend an agent computes with, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.optim import Optimizer

from velora_ros.errors import ConfigError
from velora_ros.liquid.cell_registry import cell_kind
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.protocol import Backend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.models.networks import Networks
from velora_ros.models.optimisers import SHARE
from velora_ros.training import TrainConfig

PLAIN_ADAM = {'weight_decay': 0, 'amsgrad': False, 'maximize': False}


@dataclass(frozen=True)
class Choice:
    """
    The backend that was chosen.

    Args:
        name: ``torch`` or ``numba``.
        reason: why, as a clause.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        """Return the line for the log."""
        return f'backend {self.name}: {self.reason}'


def choose_backend(config: TrainConfig, networks: Networks, optimizers: Sequence[Optimizer]) -> Choice:
    """
    Choose a backend: the one that was asked for, else numba where it can run.

    Args:
        config: ``backend`` and ``cell``.
        networks: the agent's.
        optimizers: the actor's and the critics'.

    Raises:
        ConfigError: numba was asked for and cannot run this agent; the message says why.
    """
    if config.backend == 'torch':
        return Choice('torch', 'it was asked for')
    why_not = why_not_numba(config, networks, optimizers)
    if config.backend == 'numba':
        if why_not:
            raise ConfigError(f"backend is 'numba', but {why_not}; use backend='torch', or 'auto'.")
        return Choice('numba', 'it was asked for')
    if why_not:
        return Choice('torch', why_not)
    return Choice('numba', 'small networks on the CPU run faster in compiled loops')


def why_not_numba(config: TrainConfig, networks: Networks, optimizers: Sequence[Optimizer]) -> str:
    """Return the first reason why the numba backend cannot run an agent, as a clause; empty: it can."""
    other = [type(optimizer).__name__ for optimizer in optimizers if not is_plain_adam(optimizer)]
    dtypes = {parameter.dtype for parameter in networks.parameters()} - {torch.float32}
    reasons = {
        f"numba has no kernels for the cell '{config.cell}'": not cell_kind(config.cell).kernels,
        f'numba computes on the CPU, and the device is {networks.device}': networks.device.type != 'cpu',
        f'numba computes plain Adam, and the optimiser is {" and ".join(sorted(set(other)))}': bool(other),
        f'numba computes in float32, and the networks have {", ".join(map(str, dtypes))}': bool(dtypes),
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
    """Make the backend that was chosen."""
    if choice.name == 'torch':
        for optimizer in (actor_optimizer, critic_optimizer):
            for state in optimizer.state.values():
                if 'step' in state:  # numba, if it ran before, shares one counter among all parameters
                    state['step'] = state['step'].clone()
        return TorchBackend(networks, actor_optimizer, critic_optimizer)
    assert isinstance(actor_optimizer, torch.optim.Adam)
    assert isinstance(critic_optimizer, torch.optim.Adam)
    return NumbaBackend(networks, actor_optimizer, critic_optimizer)
