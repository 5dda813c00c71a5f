"""Losses, gradients and optimiser steps in torch, on the CPU and on CUDA: complete, and the reference for numba."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from velora_ros.liquid.network import LiquidEncoder
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.protocol import check_loss
from velora_ros.models.targets import discounts, lambda_returns, soft_update, traces, value_of_critics
from velora_ros.replay_buffers import Batch
from velora_ros.training import TrainConfig
from velora_ros.training.diagnostics import SATURATED

Metrics = dict[str, float]

LARGEST_MOTOR = 0.99999
"""Beyond this the penalty on the motor layer has no gradient: float32 cannot resolve the input of the tanh."""


class TorchBackend:
    """
    A :class:`velora_ros.models.backends.protocol.Backend` in torch, which can run every agent.

    Args:
        networks: the agent's networks, read and written in place.
        actor_optimizer: the optimiser of the actor's parameters.
        critic_optimizer: the optimiser of the parameters of ``networks.critic_side()``.
    """

    def __init__(self, networks: Networks, actor_optimizer: Optimizer, critic_optimizer: Optimizer) -> None:
        self.networks = networks
        self.actor_optimizer = actor_optimizer
        self.critic_optimizer = critic_optimizer
        self._states = torch.empty(0, 0, 0)

    def act(self, observation: np.ndarray, hidden: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """Run the actor on one observation; see :meth:`Backend.act`."""
        action, state = self.act_batch(observation[None], hidden[None], np.array([dt], np.float32))
        return action[0], state[0]

    @torch.no_grad()
    def act_batch(self, observation: np.ndarray, hidden: np.ndarray, dt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the actor on one observation of each stream; see :meth:`Backend.act_batch`."""
        networks = self.networks
        inputs = networks.observation_normaliser(self._tensor(observation))
        before, elapsed = self._tensor(hidden), self._tensor(dt)
        size = networks.actor.hidden_size
        output, state = networks.actor.step(inputs, before[:, :size], elapsed)
        if networks.memory is not None:
            state = torch.cat([state, networks.memory.advance(inputs, before[:, size:], elapsed)], dim=1)
        return output.cpu().numpy(), state.cpu().numpy()

    @torch.no_grad()
    def value(self, state: np.ndarray, memory: np.ndarray, action: np.ndarray) -> float:
        """Return the first critic's Q; see :meth:`Backend.value`."""
        critic, normal = self.networks.critics[0], self.networks.state_normaliser(self._tensor(state))
        return float(critic(torch.cat([normal, self._tensor(memory)]), self._tensor(action)).item())

    @torch.no_grad()
    def states(self, batch: Batch) -> np.ndarray:
        """Return the hidden states after sequences; see :meth:`Backend.states`."""
        data, networks = self.prepare(batch, 0), self.networks
        sides: list[tuple[LiquidEncoder, Tensor]] = [(networks.actor, data.hidden)]
        sides += [] if networks.memory is None else [(networks.memory, data.memory)]
        ends = [network.states(data.observation, hidden, data.dt, data.first)[:, -1] for network, hidden in sides]
        after: np.ndarray = torch.cat(ends, dim=1).cpu().numpy()
        return after

    def prepare(self, batch: Batch, burn_in: int) -> 'TensorBatch':
        """Return a batch as tensors; see :meth:`Backend.prepare`."""
        del burn_in
        return TensorBatch.of(batch, self.networks)

    @torch.no_grad()
    def targets(self, data: 'TensorBatch', noise: np.ndarray, config: TrainConfig) -> Tensor:
        """Return the critics' targets, shape (B, L - burn-in); see :meth:`Backend.targets`."""
        burn_in, source = config.burn_in, data.source
        assert source is not None
        next_values, policy = self.next_values(data, self._tensor(noise), burn_in)
        taken, policy_taken = (actions.cpu().numpy() for actions in (data.action[:, burn_in:], policy))
        returns = lambda_returns(
            source.reward[:, burn_in:] * np.float32(config.reward_scale),
            discounts(source, config.gamma, burn_in),
            value_of_critics([values.cpu().numpy() for values in next_values], config.mean_share),
            source.first[:, burn_in:],
            traces(taken, policy_taken, config.trace, config.trace_width, axis=-1),
        )
        return self._tensor(returns)

    def next_values(self, data: 'TensorBatch', noise: Tensor, burn_in: int) -> tuple[list[Tensor], Tensor]:
        """
        Return each target critic's value Q'(s', mu'(o') + noise), and the target actor's action mu'(o).

        Returns:
            Q' of each critic, shape (B, L - burn-in), and mu'(o), shape (B, L - burn-in, action).
        """
        networks = self.networks
        following = data.next_observation[:, burn_in:].flatten(0, 1)
        elapsed = data.next_dt[:, burn_in:].flatten()
        policy, states = networks.actor_target(data.observation, data.hidden, data.dt, data.first)
        action, _ = networks.actor_target.step(following, states[:, burn_in:].flatten(0, 1), elapsed)
        action = (action.view(noise.shape) + noise).clamp(-1, 1)
        next_state = data.next_state[:, burn_in:]
        if networks.memory_target is not None:
            memory = networks.memory_target.states(data.observation, data.memory, data.dt, data.first)
            memory = networks.memory_target.advance(following, memory[:, burn_in:].flatten(0, 1), elapsed)
            next_state = torch.cat([next_state, memory.view(*next_state.shape[:2], -1)], dim=-1)
        return [critic(next_state, action) for critic in networks.critics_target.children()], policy[:, burn_in:]

    def critic_step(
        self, data: 'TensorBatch', target: Tensor, config: TrainConfig, *, measure: bool = False
    ) -> tuple[Metrics, Metrics]:
        """Take one optimiser step of the critics; see :meth:`Backend.critic_step`."""
        loss, values = self.critic_loss(data, target, config)
        check_loss('critic', loss.item())
        norm = _step(self.critic_optimizer, self.networks.critic_side(), loss, config.max_grad_norm, measure=measure)
        metrics = {'critic_loss': loss.item(), 'q_mean': values[0].detach().mean().item()}
        if not measure:
            return metrics, {}
        diagnostics = {'target_mean': target.mean().item(), 'critic_gradient': norm}
        if len(values) > 1:
            diagnostics['twin_gap'] = (values[0] - values[1]).abs().mean().item()
        return metrics, diagnostics

    def critic_loss(self, data: 'TensorBatch', target: Tensor, config: TrainConfig) -> tuple[Tensor, list[Tensor]]:
        """Return the sum of the critics' mean squared errors, and Q of each critic, shape (B, L - burn-in)."""
        state, action = self._critic_state(data, config.burn_in), data.action[:, config.burn_in :]
        values = [critic(state, action) for critic in self.networks.critics]
        return torch.stack([nn.functional.mse_loss(value, target) for value in values]).sum(), values

    def actor_step(self, data: 'TensorBatch', config: TrainConfig, *, measure: bool = False) -> tuple[Metrics, Metrics]:
        """Take one optimiser step of the actor; see :meth:`Backend.actor_step`."""
        loss, action, states = self.actor_loss(data, config)
        check_loss('actor', loss.item())
        self._states = states.detach()
        norm = _step(self.actor_optimizer, self.networks.actor, loss, config.max_grad_norm, measure=measure)
        metrics = {'actor_loss': float(loss.item())}
        if not measure:
            return metrics, {}
        shares = [(values.detach().abs() > SATURATED).float().mean().item() for values in (action, states)]
        return metrics, {'action_saturation': shares[0], 'hidden_saturation': shares[1], 'actor_gradient': norm}

    def actor_loss(self, data: 'TensorBatch', config: TrainConfig) -> tuple[Tensor, Tensor, Tensor]:
        """Return -mean(Q) plus the penalty, and the actor's actions and hidden states, shape (B, L - burn-in, ...)."""
        burn_in, hidden = config.burn_in, data.hidden
        if burn_in:
            with torch.no_grad():
                _, states = self.networks.actor(
                    data.observation[:, :burn_in], hidden, data.dt[:, :burn_in], data.first[:, :burn_in]
                )
            hidden = states[:, -1]
        action, states = self.networks.actor(
            data.observation[:, burn_in:], hidden, data.dt[:, burn_in:], data.first[:, burn_in:]
        )
        with torch.no_grad():
            state = self._critic_state(data, burn_in)
        loss = -self.networks.critics[0](state, action).mean()
        if config.motor_penalty > 0:
            sums = torch.atanh(action.clamp(-LARGEST_MOTOR, LARGEST_MOTOR))
            loss = loss + config.motor_penalty * sums.square().mean()
        return loss, action, states

    def actor_states(self) -> np.ndarray:
        """Return the actor's hidden states in its last step; see :meth:`Backend.actor_states`."""
        return self._states.permute(1, 2, 0).contiguous().cpu().numpy()

    def follow_targets(self, tau: float, *, actor: bool = True) -> None:
        """Let the target networks follow; see :meth:`Backend.follow_targets`."""
        networks = self.networks
        if actor:
            soft_update(networks.actor_target, networks.actor, tau)
        soft_update(networks.critic_side(target=True), networks.critic_side(), tau)

    def refresh(self) -> None:
        """Do nothing: the optimisers hold their own state."""

    def refresh_weights(self) -> None:
        """Do nothing: the networks hold their own weights."""

    def _critic_state(self, data: 'TensorBatch', burn_in: int) -> Tensor:
        """Return the critics' input for the steps that carry loss, with their memory if they have one."""
        state: Tensor = data.state[:, burn_in:]
        if self.networks.memory is None:
            return state
        hidden = data.memory
        if burn_in:
            with torch.no_grad():
                hidden = self.networks.memory.states(
                    data.observation[:, :burn_in], hidden, data.dt[:, :burn_in], data.first[:, :burn_in]
                )[:, -1]
        memory: Tensor = self.networks.memory.states(
            data.observation[:, burn_in:], hidden, data.dt[:, burn_in:], data.first[:, burn_in:]
        )
        return torch.cat([state, memory], dim=-1)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, device=self.networks.device)


@dataclass(frozen=True)
class TensorBatch:
    """A batch as tensors on the networks' device, observations and states normalised; shapes as in ``Batch``."""

    observation: Tensor
    next_observation: Tensor
    state: Tensor
    next_state: Tensor
    action: Tensor
    dt: Tensor
    next_dt: Tensor
    hidden: Tensor
    memory: Tensor
    first: Tensor
    source: Batch | None = None  # used for a batch from the host: rewards, terminations, times, where episodes start
    reward: Tensor | None = None  # used for a batch that was drawn on the device
    terminated: Tensor | None = None
    elapsed: Tensor | None = None

    @classmethod
    def of(cls, batch: Batch, networks: Networks) -> 'TensorBatch':
        """Return a batch on the networks' device; on the CPU, fields that are not normalised share its memory."""

        def tensor(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, device=networks.device)

        size = networks.actor.hidden_size
        return cls(
            observation=networks.observation_normaliser(tensor(batch.observation)),
            next_observation=networks.observation_normaliser(tensor(batch.next_observation)),
            state=networks.state_normaliser(tensor(batch.state)),
            next_state=networks.state_normaliser(tensor(batch.next_state)),
            action=tensor(batch.action),
            dt=tensor(batch.dt),
            next_dt=tensor(batch.next_dt),
            hidden=tensor(batch.hidden[:, :size]),
            memory=tensor(batch.hidden[:, size:]),
            first=tensor(batch.first),
            source=batch,
        )


def _step(optimizer: Optimizer, module: nn.Module, loss: Tensor, max_grad_norm: float, *, measure: bool) -> float:
    """Take a step down the gradient; return its norm before clipping if ``measure``, otherwise NaN."""
    norm = take_step(optimizer, module, loss, max_grad_norm, measure=measure)
    return math.nan if norm is None else norm.item()


def take_step(
    optimizer: Optimizer, module: nn.Module, loss: Tensor, max_grad_norm: float, *, measure: bool
) -> Tensor | None:
    """Take a step down the gradient without waiting for the device; return its norm before clipping if ``measure``."""
    parameters = list(module.parameters())
    gradients = torch.autograd.grad(loss, parameters)  # the gradients of the critic stay untouched by the actor's step
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    norm = nn.utils.get_total_norm(gradients) if measure else None
    if max_grad_norm > 0:
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    return norm
