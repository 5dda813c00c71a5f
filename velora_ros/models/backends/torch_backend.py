"""One update of actor and critic in torch: the reference that every faster path is held to."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from velora_ros.liquid.network import LiquidEncoder
from velora_ros.models.exploration import scale_and_clip
from velora_ros.models.networks import Networks
from velora_ros.models.targets import lambda_returns
from velora_ros.replay import Batch
from velora_ros.training import TrainConfig
from velora_ros.training.diagnostics import SATURATED
from velora_ros.training.divergence import diverged


@dataclass(frozen=True)
class UpdateSettings:
    """
    The numbers of one update.

    Args:
        gamma: discount of one nominal period.
        tau: share by which the targets follow, per update.
        burn_in: steps at the start of each sequence that only bring the hidden state up to date and carry no loss.
        target_noise: standard deviation of the target policy's smoothing noise, in normalised actions (TD3); 0: none.
        max_grad_norm: gradients above this norm are scaled down to it; 0: never.
        trace: lambda of the returns within a sequence; 0: one-step returns.
        reward_scale: rewards are multiplied by it.
    """

    gamma: float = 0.99
    tau: float = 0.005
    burn_in: int = 0
    target_noise: float = 0.0
    max_grad_norm: float = 0.0
    trace: float = 0.0
    reward_scale: float = 1.0

    @classmethod
    def of(cls, config: TrainConfig) -> 'UpdateSettings':
        """Take the fields of the same names."""
        return cls(**{field.name: getattr(config, field.name) for field in dataclasses.fields(cls)})


def smoothing_noise(batch: Batch, settings: UpdateSettings, rng: np.random.Generator) -> np.ndarray:
    """
    Draw the target policy's smoothing noise, clipped at 2.5 standard deviations as TD3 does.

    Returns:
        float32, shape (B, L - burn-in, action).
    """
    n_sequences, length, n_actions = batch.action.shape
    shape = (n_sequences, length - settings.burn_in, n_actions)
    if settings.target_noise == 0:
        return np.zeros(shape, dtype=np.float32)
    noise = rng.standard_normal(shape, dtype=np.float32)
    scale_and_clip(noise.reshape(-1), settings.target_noise, 2.5 * settings.target_noise)
    return noise


def discounts(batch: Batch, settings: UpdateSettings) -> np.ndarray:
    """Return gamma^(dt'/T), 0 after a termination, shape (B, L - burn-in); a truncation bootstraps."""
    elapsed = batch.next_dt if batch.elapsed is None else batch.elapsed
    terminated = batch.terminated[:, settings.burn_in :]
    discount: np.ndarray = np.float32(settings.gamma) ** elapsed[:, settings.burn_in :] * (1 - terminated)
    return discount


def refuse_divergence(network: str, loss: float) -> None:
    """
    Check a loss before the step along its gradient, which would make every weight NaN.

    Raises:
        DivergenceError: it is not finite.
    """
    if not math.isfinite(loss):
        raise diverged(f"the {network}'s loss")


class TorchBackend:
    """
    DDPG over sequences (arXiv 1509.02971, with the stored hidden states of R2D2).

    Args:
        networks: read and written in place.
        actor_optimizer: over the actor's parameters.
        critic_optimizer: over the parameters of ``networks.critic_side()``.
    """

    def __init__(self, networks: Networks, actor_optimizer: Optimizer, critic_optimizer: Optimizer) -> None:
        self.networks = networks
        self.actor_optimizer = actor_optimizer
        self.critic_optimizer = critic_optimizer

    def rebind(self) -> None:
        """Do nothing: the optimisers hold their own state."""

    def attach(self) -> None:
        """Do nothing: the networks hold their own weights."""

    @torch.no_grad()
    def act(self, observation: np.ndarray, hidden: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """
        Run the actor on one observation.

        Args:
            observation: in the environment's units, shape (observation,).
            hidden: shape (hidden,).
            dt: dt/T.

        Returns:
            action in [-1, 1], shape (action,), and the next hidden state, shape (hidden,): the actor's, then that of
            the critics' memory where there is one.
        """
        networks = self.networks
        device = networks.observation_normaliser.offset.device
        inputs = networks.observation_normaliser(torch.as_tensor(observation, device=device)[None])
        before = torch.as_tensor(hidden, device=device)[None]
        size = networks.actor.hidden_size
        output, state = networks.actor.step(inputs, before[:, :size], dt)
        if networks.memory is not None:
            state = torch.cat([state, networks.memory.advance(inputs, before[:, size:], dt)], dim=1)
        return output[0].cpu().numpy(), state[0].cpu().numpy()

    @torch.no_grad()
    def value(self, state: np.ndarray, memory: np.ndarray, action: np.ndarray) -> float:
        """
        Return the first critic's Q.

        Args:
            state: what the critic sees, as it is, shape (state,).
            memory: the hidden state of the critics' memory after it, shape (memory,); empty where they have none.
            action: in [-1, 1], shape (action,).
        """
        seen, remembered, chosen = (torch.as_tensor(values, device=self._device) for values in (state, memory, action))
        critic, normal = self.networks.critics[0], self.networks.state_normaliser(seen)
        return float(critic(torch.cat([normal, remembered]), chosen).item())

    @torch.no_grad()
    def states(self, batch: Batch) -> np.ndarray:
        """Run the sequences of a batch and return the hidden state after the last step, shape (B, hidden)."""
        tensors, networks = _Tensors(batch, self.networks), self.networks
        sides: list[tuple[LiquidEncoder, Tensor]] = [(networks.actor, tensors.hidden)]
        sides += [] if networks.memory is None else [(networks.memory, tensors.memory)]
        ends = [
            network.states(tensors.observation, hidden, tensors.dt, tensors.first)[:, -1] for network, hidden in sides
        ]
        after: np.ndarray = torch.cat(ends, dim=1).cpu().numpy()
        return after

    @property
    def _device(self) -> torch.device:
        return self.networks.observation_normaliser.offset.device

    def __call__(
        self, batch: Batch, noise: np.ndarray, settings: UpdateSettings, seen: dict[str, float] | None = None
    ) -> dict[str, float]:
        """
        Update critics, actor and targets once, in this order.

        Args:
            batch: sequences from the replay.
            noise: from :func:`smoothing_noise`.
            settings: this update's numbers.
            seen: where given, it is filled with those of :data:`velora_ros.training.diagnostics.DIAGNOSTICS` that an
                update shows; the update stays the same.

        Returns:
            metrics as plain floats: ``critic_loss``, ``actor_loss``, ``q_mean``.

        Raises:
            DivergenceError: a loss is not finite; the step along its gradient is not taken.
        """
        tensors = _Tensors(batch, self.networks)
        critic_loss, q_mean = self._update_critics(tensors, self._targets(tensors, noise, settings), settings, seen)
        actor_loss = self._update_actor(tensors, settings, seen)
        self.networks.update_targets(settings.tau)
        return {'critic_loss': critic_loss, 'actor_loss': actor_loss, 'q_mean': q_mean}

    @torch.no_grad()
    def _targets(self, batch: '_Tensors', noise: np.ndarray, settings: UpdateSettings) -> Tensor:
        """
        Return y = r + gamma^(dt'/T) (1 - terminated) min_i Q'_i(s', mu'(o', h) + noise), shape (B, L - burn-in).

        With a trace the bootstrap is mixed with the returns that follow; see :func:`lambda_returns`.

        The target actor runs over the same steps as the online one; from the state after o it takes one step on o'.
        """
        burn_in = settings.burn_in
        networks = self.networks
        following = batch.next_observation[:, burn_in:].flatten(0, 1)
        elapsed = batch.next_dt[:, burn_in:].flatten()
        _, states = networks.actor_target(batch.observation, batch.hidden, batch.dt, batch.first)
        action, _ = networks.actor_target.step(following, states[:, burn_in:].flatten(0, 1), elapsed)
        action = (action.view(noise.shape) + batch.tensor(noise)).clamp(-1, 1)
        next_state = batch.next_state[:, burn_in:]
        if networks.memory_target is not None:
            memory = networks.memory_target.states(batch.observation, batch.memory, batch.dt, batch.first)
            memory = networks.memory_target.advance(following, memory[:, burn_in:].flatten(0, 1), elapsed)
            next_state = torch.cat([next_state, memory.view(*next_state.shape[:2], -1)], dim=-1)
        next_value = _smallest(networks.critics_target, next_state, action)
        returns = lambda_returns(
            batch.source.reward[:, burn_in:] * np.float32(settings.reward_scale),
            discounts(batch.source, settings),
            next_value.cpu().numpy(),
            batch.source.first[:, burn_in:],
            settings.trace,
        )
        return batch.tensor(returns)

    def _update_critics(
        self, batch: '_Tensors', target: Tensor, settings: UpdateSettings, seen: dict[str, float] | None
    ) -> tuple[float, float]:
        """Take one step on the mean squared error of every critic; return loss and mean Q."""
        state, action = self._critic_state(batch, settings.burn_in), batch.action[:, settings.burn_in :]
        values = [critic(state, action) for critic in self.networks.critics]
        loss = torch.stack([nn.functional.mse_loss(value, target) for value in values]).sum()
        refuse_divergence('critic', loss.item())
        norm = self._step(self.critic_optimizer, self.networks.critic_side(), loss, settings, measured=seen is not None)
        if seen is not None:
            seen |= {'target_mean': target.mean().item(), 'critic_gradient': norm}
            if len(values) > 1:
                seen['twin_gap'] = (values[0] - values[1]).abs().mean().item()
        return loss.item(), values[0].detach().mean().item()

    def _update_actor(self, batch: '_Tensors', settings: UpdateSettings, seen: dict[str, float] | None) -> float:
        """Take one step up the first critic's value of the actor's own actions, through time; return the loss."""
        burn_in, hidden = settings.burn_in, batch.hidden
        if burn_in:
            with torch.no_grad():
                _, states = self.networks.actor(
                    batch.observation[:, :burn_in], hidden, batch.dt[:, :burn_in], batch.first[:, :burn_in]
                )
            hidden = states[:, -1]
        action, states = self.networks.actor(
            batch.observation[:, burn_in:], hidden, batch.dt[:, burn_in:], batch.first[:, burn_in:]
        )
        with torch.no_grad():
            state = self._critic_state(batch, burn_in)
        loss = -self.networks.critics[0](state, action).mean()
        refuse_divergence('actor', loss.item())
        norm = self._step(self.actor_optimizer, self.networks.actor, loss, settings, measured=seen is not None)
        if seen is not None:
            shares = [(values.detach().abs() > SATURATED).float().mean().item() for values in (action, states)]
            seen |= {'action_saturation': shares[0], 'hidden_saturation': shares[1], 'actor_gradient': norm}
        return float(loss.item())

    def _critic_state(self, batch: '_Tensors', burn_in: int) -> Tensor:
        """Return what the critics see of the steps that carry loss, with their memory of it where they have one."""
        state: Tensor = batch.state[:, burn_in:]
        if self.networks.memory is None:
            return state
        hidden = batch.memory
        if burn_in:
            with torch.no_grad():
                hidden = self.networks.memory.states(
                    batch.observation[:, :burn_in], hidden, batch.dt[:, :burn_in], batch.first[:, :burn_in]
                )[:, -1]
        memory: Tensor = self.networks.memory.states(
            batch.observation[:, burn_in:], hidden, batch.dt[:, burn_in:], batch.first[:, burn_in:]
        )
        return torch.cat([state, memory], dim=-1)

    @staticmethod
    def _step(
        optimizer: Optimizer, module: nn.Module, loss: Tensor, settings: UpdateSettings, *, measured: bool
    ) -> float:
        """Take a step along the gradient; return its norm before it is cut, if that is ``measured``, else NaN."""
        parameters = list(module.parameters())
        gradients = torch.autograd.grad(loss, parameters)  # of this module only: the critic is left alone by the actor
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        norm = nn.utils.get_total_norm(gradients).item() if measured else math.nan
        if settings.max_grad_norm > 0:
            nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
        optimizer.step()
        return norm


class _Tensors:
    """A batch as tensors on the networks' device, observations and states normalised."""

    def __init__(self, batch: Batch, networks: Networks) -> None:
        self.source = batch
        self._device = networks.observation_normaliser.offset.device
        self.observation = networks.observation_normaliser(self.tensor(batch.observation))
        self.next_observation = networks.observation_normaliser(self.tensor(batch.next_observation))
        self.state = networks.state_normaliser(self.tensor(batch.state))
        self.next_state = networks.state_normaliser(self.tensor(batch.next_state))
        self.action = self.tensor(batch.action)
        self.dt = self.tensor(batch.dt)
        self.next_dt = self.tensor(batch.next_dt)
        size = networks.actor.hidden_size
        self.hidden = self.tensor(batch.hidden[:, :size])
        self.memory = self.tensor(batch.hidden[:, size:])
        self.first = self.tensor(batch.first)

    def tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, device=self._device)


def _smallest(critics: nn.Module, state: Tensor, action: Tensor) -> Tensor:
    """Return the elementwise minimum over the critics' values."""
    return torch.stack([critic(state, action) for critic in critics.children()]).amin(dim=0)
