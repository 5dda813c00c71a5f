"""Actor, critics, their targets and the frozen normalisation: everything that an update reads and writes."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

from velora_ros.liquid import LiquidNetwork, Wiring
from velora_ros.liquid.network import LiquidEncoder
from velora_ros.models.critic import Critic
from velora_ros.models.normaliser import Normaliser
from velora_ros.models.targets import soft_update

Module = TypeVar('Module', bound=nn.Module)


class Networks(nn.Module):
    """
    The networks of one agent.

    Args:
        wiring: the actor's synapses.
        critic_sizes: neurons of the critic's hidden layers.
        state_dim: entries of the critic's view; the observation's, or a privileged state's.
        n_critics: 1 as in DDPG, or 2 for the smaller of two (TD3, arXiv 1802.09477).
        averaged: whether there is a running average of the actor's weights beside it.
        motor_init: factor on the initial weights of the actor's motor layer.
        memory_wiring: synapses of the recurrent encoder that the critics share. It reads the observation, also where
            the critics see a privileged state. None: the critics judge by what they see at the moment.
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
        Let the average, if there is one, follow the actor's weights; faster in the first updates.

        Args:
            tau: share by which the average follows in one update.
            count: updates so far, including this one. The share is at least 9 / (9 + count), so that the initial
                weights soon have no influence.
        """
        if self.actor_average is not None:
            share = max(tau, 9 / (9 + count))
            soft_update(self.actor_average, self.actor, share)

    def critic_side(self, *, target: bool = False) -> nn.ModuleDict:
        """Return what the critic's optimiser trains: the critics, and their memory if they have one."""
        critics, memory = (self.critics_target, self.memory_target) if target else (self.critics, self.memory)
        return nn.ModuleDict({'critics': critics} if memory is None else {'critics': critics, 'memory': memory})


def _frozen_copy(module: Module) -> Module:
    """Return a copy whose parameters require no gradient."""
    return copy.deepcopy(module).requires_grad_(False)
