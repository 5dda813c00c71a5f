"""The networks of an agent: actor, critics, their targets and the frozen normalisation."""

import copy
import itertools
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from velora_ros.errors import ConfigError
from velora_ros.liquid import LiquidNetwork, Wiring
from velora_ros.liquid.network import LiquidEncoder
from velora_ros.models.normaliser import Normaliser
from velora_ros.models.targets import soft_update

Module = TypeVar('Module', bound=nn.Module)


class Networks(nn.Module):
    """
    The networks of one agent.

    Args:
        wiring: the actor's synapses.
        critic_sizes: neurons of the critic's hidden layers.
        state_dim: number of entries that the critics see, of the observation or of a privileged state.
        n_critics: 1 as in DDPG, or 2 to use the smaller of two values (TD3, arXiv 1802.09477).
        averaged: whether to keep a running average of the actor's weights as well.
        motor_init: factor on the initial weights of the actor's motor layer.
        memory_wiring: synapses of the recurrent encoder that the critics share. It reads the observation, even if the
            critics see a privileged state. None: the critics use only the current state.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        wiring: Wiring,
        critic_sizes: Sequence[int],
        *,
        state_dim: int,
        n_critics: int,
        averaged: bool = False,
        motor_init: float = 1.0,
        memory_wiring: Wiring | None = None,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.actor = LiquidNetwork(wiring, generator=generator)
        with torch.no_grad():
            self.actor.motor.weight.mul_(motor_init)
        self.memory = None if memory_wiring is None else LiquidEncoder(memory_wiring, generator=generator)
        self.memory_size = 0 if memory_wiring is None else memory_wiring.n_command
        self.critics = nn.ModuleList(
            Critic(state_dim + self.memory_size, wiring.n_motor, critic_sizes, generator=generator)
            for _ in range(n_critics)
        )
        self.actor_target = _frozen_copy(self.actor)
        self.actor_average = _frozen_copy(self.actor) if averaged else None
        self.critics_target = _frozen_copy(self.critics)
        self.memory_target = None if self.memory is None else _frozen_copy(self.memory)
        self.observation_normaliser = Normaliser(wiring.n_sensory)
        self.state_normaliser = Normaliser(state_dim)

    @property
    def device(self) -> torch.device:
        """The device of all networks."""
        return self.observation_normaliser.offset.device

    @property
    def deployed(self) -> LiquidNetwork:
        """The actor to evaluate, to export and to use in ``predict``: the actor's average if there is one."""
        return self.actor if self.actor_average is None else self.actor_average

    def average_actor(self, tau: float, count: int) -> None:
        """
        Let the average, if there is one, follow the actor's weights; it follows faster in the first updates.

        Args:
            tau: share by which the average follows in one update.
            count: updates so far, including this one. The share is at least 9 / (9 + count), so that the initial
                weights soon have no influence.
        """
        if self.actor_average is not None:
            share = max(tau, 9 / (9 + count))
            soft_update(self.actor_average, self.actor, share)

    def critic_side(self, *, target: bool = False) -> nn.ModuleDict:
        """Return the modules that the critic's optimiser trains: the critics, and their memory if they have one."""
        critics, memory = (self.critics_target, self.memory_target) if target else (self.critics, self.memory)
        return nn.ModuleDict({'critics': critics} if memory is None else {'critics': critics, 'memory': memory})


class Critic(nn.Module):
    """
    Q(s, a) = MLP([s; a]); each hidden layer is linear, LayerNorm, ReLU.

    LayerNorm bounds the extrapolation of Q to actions that are not in the replay, which stabilises off-policy learning
    (RLPD, arXiv 2302.02948).

    Args:
        state_dim: entries of the critic's view of the state.
        action_dim: entries of the action.
        hidden_sizes: neurons of each hidden layer.
        generator: source of the initial weights; None: torch's global generator.

    Raises:
        ConfigError: a size is below 1, or there is no hidden layer.
    """

    def __init__(
        self,
        state_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int] = (64, 64),
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not hidden_sizes or min(hidden_sizes) < 1:
            raise ConfigError(f'critic_sizes is {list(hidden_sizes)}; it must be one or more sizes, each at least 1.')
        sizes = [state_dim + action_dim, *hidden_sizes, 1]
        self.layers = nn.ModuleList(_linear(n_in, n_out, generator) for n_in, n_out in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in hidden_sizes)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """
        Return the value of state-action pairs.

        Args:
            state: normalised, shape (..., state).
            action: the action in [-1, 1], shape (..., action).

        Returns:
            Q, shape (...).
        """
        hidden = torch.cat([state, action], dim=-1)
        for layer, norm in zip(self.layers, self.norms, strict=False):
            hidden = torch.relu(norm(layer(hidden)))
        value: Tensor = self.layers[-1](hidden)
        return value.squeeze(-1)


def _frozen_copy(module: Module) -> Module:
    """Return a copy whose parameters require no gradient."""
    return copy.deepcopy(module).requires_grad_(False)


def _linear(n_in: int, n_out: int, generator: torch.Generator | None) -> nn.Linear:
    """Return a linear layer with torch's usual initial range, drawn from the given generator."""
    layer = nn.Linear(n_in, n_out)
    bound = n_in**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
    return layer
