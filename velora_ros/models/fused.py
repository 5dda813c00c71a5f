"""
The whole DDPG update without torch's overhead: matrix products in numpy, everything else in compiled loops.

Networks of this size spend their time between torch's operations, not in them. :class:`FusedUpdate` works on the memory
of the torch parameters and of the Adam state, so that saving, exporting and predicting see no difference; tests hold it
to :class:`velora_ros.models.update.TorchUpdate`, values and gradients.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from velora_ros.liquid.fused import FusedEncoder, FusedNetwork, Tape, kernel
from velora_ros.models.fused_critic import FusedCritic
from velora_ros.models.networks import Networks, Normaliser
from velora_ros.models.returns import lambda_returns
from velora_ros.models.update import UpdateSettings, discounts
from velora_ros.replay import Batch

Array = npt.NDArray[np.float32]


class FusedUpdate:
    """
    Same call, same result as :class:`velora_ros.models.update.TorchUpdate`; CPU and torch's plain Adam only.

    Args:
        networks: their parameters are moved into one flat array each, which torch goes on seeing.
        actor_optimizer: plain Adam over the actor's parameters.
        critic_optimizer: plain Adam over the parameters of ``networks.critic_side()``.
    """

    def __init__(
        self, networks: Networks, actor_optimizer: torch.optim.Adam, critic_optimizer: torch.optim.Adam
    ) -> None:
        self.networks = networks
        self._actor, self._actor_target = _Flat(networks.actor), _Flat(networks.actor_target)
        self._critics = _Flat(networks.critic_side())
        self._critics_target = _Flat(networks.critic_side(target=True))
        self._actor_adam, self._critic_adam = (
            _Adam(actor_optimizer, self._actor),
            _Adam(critic_optimizer, self._critics),
        )
        wiring, n_hidden = networks.actor.wiring, len(networks.critics[0].norms)  # type: ignore[arg-type]
        self.actor = FusedNetwork(wiring, self._actor.views)
        self._target = FusedNetwork(wiring, self._actor_target.views)
        self._observation_map = _Affine(networks.observation_normaliser)
        self._state_map = _Affine(networks.state_normaliser)
        self._never = np.zeros((1, 1), np.float32)
        indices = range(len(networks.critics))
        self._online_critics = [FusedCritic(self._critics.part(f'critics.{index}'), n_hidden) for index in indices]
        self._target_critics = [
            FusedCritic(self._critics_target.part(f'critics.{index}'), n_hidden) for index in indices
        ]
        self._memory = self._memory_target = None
        if networks.memory is not None:
            self._memory = FusedEncoder(networks.memory.wiring, self._critics.part('memory'))
            self._memory_target = FusedEncoder(networks.memory.wiring, self._critics_target.part('memory'))

    def rebind(self) -> None:
        """Take over an optimiser state that was loaded from a file."""
        self._actor_adam.bind()
        self._critic_adam.bind()

    def act(self, observation: Array, hidden: Array, dt: float) -> tuple[Array, Array]:
        """Run the actor on one observation; see :class:`velora_ros.models.update.TorchUpdate`."""
        inputs = self._observation_map(observation)[None, None]
        ratio, size = np.full((1, 1), dt, np.float32), self.actor.n_command
        motor, tape = self.actor.forward(inputs, hidden[None, :size], ratio, self._never)
        if self._memory is None:
            return motor[0], tape.states[0, 0]
        memory = self._memory.encode(inputs, hidden[None, size:], ratio, self._never).states
        return motor[0], np.concatenate([tape.states[0, 0], memory[0, 0]])

    def __call__(self, batch: Batch, noise: np.ndarray, settings: UpdateSettings) -> dict[str, float]:
        """Update critics, actor and targets once; see :class:`velora_ros.models.update.TorchUpdate`."""
        view = _View(batch, self._observation_map, self._state_map, self.actor.n_command, settings.burn_in)
        target = self._targets(batch, view, noise, settings)
        critic_loss, q_mean = self._update_critics(view, target, settings)
        actor_loss = self._update_actor(view, settings)
        for online, slow in ((self._actor, self._actor_target), (self._critics, self._critics_target)):
            follow(slow.values, online.values, np.float32(settings.tau))
        return {'critic_loss': critic_loss, 'actor_loss': actor_loss, 'q_mean': q_mean}

    def _targets(self, batch: Batch, view: '_View', noise: Array, settings: UpdateSettings) -> Array:
        states = self._target.encode(view.observation, view.hidden, view.dt, view.first).states
        motor, _ = self._target.forward(*view.following(states))
        action = np.clip(motor + noise.reshape(motor.shape), -1, 1)
        parts = [view.next_state, action]
        if self._memory_target is not None:
            memory = self._memory_target.encode(view.observation, view.memory, view.dt, view.first).states
            parts.insert(1, self._memory_target.encode(*view.following(memory)).states[:, 0])
        inputs = np.concatenate(parts, axis=1)
        value = self._target_critics[0].forward(inputs)[0]
        for critic in self._target_critics[1:]:
            np.minimum(value, critic.forward(inputs)[0], out=value)
        shape = view.next_dt.shape
        returns = lambda_returns(
            view.reward.reshape(shape) * np.float32(settings.reward_scale),
            discounts(batch, settings),
            value.reshape(shape),
            batch.first[:, view.burn_in :],
            settings.trace,
        )
        return returns.ravel()

    def _update_critics(self, view: '_View', target: Array, settings: UpdateSettings) -> tuple[float, float]:
        state, memory_tape = self._critic_state(view)
        inputs = np.concatenate([state, view.action], axis=1)
        loss, means, d_inputs = 0.0, [], np.zeros_like(inputs)
        for index, critic in enumerate(self._online_critics):
            q, tape = critic.forward(inputs)
            error = q - target
            loss += float(np.dot(error, error)) / error.size
            means.append(float(q.mean()))
            gradients = self._critics.gradient_part(f'critics.{index}')
            d_inputs += critic.backward(tape, error * np.float32(2 / error.size), gradients)
        if self._memory is not None and memory_tape is not None:
            d_memory = d_inputs[:, view.state.shape[1] : state.shape[1]]
            self._memory.decode(
                memory_tape, view.padded(d_memory), self._critics.gradient_part('memory'), burn_in=view.burn_in
            )
        self._critic_adam.step(settings.max_grad_norm)
        return loss, means[0]

    def _update_actor(self, view: '_View', settings: UpdateSettings) -> float:
        motor, tape = self.actor.forward(view.observation, view.hidden, view.dt, view.first)
        action = view.with_loss(motor.reshape(*view.dt.shape, -1))
        q, critic_tape = self._online_critics[0].forward(np.concatenate([self._critic_state(view)[0], action], axis=1))
        d_inputs = self._online_critics[0].backward(critic_tape, np.full(q.size, -1 / q.size, np.float32), None)
        d_motor = view.padded(d_inputs[:, -action.shape[1] :]).reshape(motor.shape)
        self.actor.backward(motor, tape, d_motor, self._actor.gradients, burn_in=view.burn_in)
        self._actor_adam.step(settings.max_grad_norm)
        return -float(q.mean())

    def _critic_state(self, view: '_View') -> tuple[Array, Tape | None]:
        """Return what the critics see, in rows, and the tape of their memory of it where they have one."""
        if self._memory is None:
            return view.state, None
        tape = self._memory.encode(view.observation, view.memory, view.dt, view.first)
        return np.concatenate([view.state, view.with_loss(tape.states)], axis=1), tape


class _Affine:
    """A normaliser on views of its buffers, which change in place when it is frozen or loaded."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.offset, self.scale = normaliser.offset.numpy(), normaliser.scale.numpy()

    def __call__(self, values: Array) -> Array:
        mapped: Array = (values - self.offset) * self.scale
        return mapped


class _View:
    """A batch, normalised; what carries loss is flattened to rows."""

    def __init__(self, batch: Batch, observed: '_Affine', seen: '_Affine', size: int, burn_in: int) -> None:
        self.burn_in = burn_in
        self.observation = observed(batch.observation)
        self.next_observation = observed(batch.next_observation)
        self.hidden = np.ascontiguousarray(batch.hidden[:, :size])
        self.memory = np.ascontiguousarray(batch.hidden[:, size:])
        self.dt, self.first = np.ascontiguousarray(batch.dt), np.ascontiguousarray(batch.first)
        self.next_dt = np.ascontiguousarray(batch.next_dt[:, burn_in:])
        self.reward = batch.reward[:, burn_in:].ravel()
        n_rows = self.reward.size
        self.action = batch.action[:, burn_in:].reshape(n_rows, -1)
        self.state = seen(batch.state[:, burn_in:]).reshape(n_rows, -1)
        self.next_state = seen(batch.next_state[:, burn_in:]).reshape(n_rows, -1)

    def with_loss(self, values: Array) -> Array:
        """Return the steps that carry loss of shape (B, L, n), in rows."""
        rows: Array = values[:, self.burn_in :].reshape(self.reward.size, -1)
        return rows

    def padded(self, rows: Array) -> Array:
        """Return rows of the steps that carry loss as shape (B, L, n), zero in the burn-in."""
        values = np.zeros((*self.dt.shape, rows.shape[1]), np.float32)
        values[:, self.burn_in :] = rows.reshape(len(values), -1, rows.shape[1])
        return values

    def following(self, states: Array) -> tuple[Array, Array, Array, Array]:
        """Return the arguments with which to go one step on, from each state after o to o'."""
        n_rows = self.reward.size
        observation = self.with_loss(self.next_observation).reshape(n_rows, 1, -1)
        never = np.zeros((n_rows, 1), np.float32)
        return observation, self.with_loss(states), self.next_dt.reshape(n_rows, 1), never


class _Flat:
    """A module's parameters in one flat array, with a view on each; torch keeps seeing the same memory."""

    def __init__(self, module: nn.Module) -> None:
        named = list(module.named_parameters())
        self.parameters = [parameter for _, parameter in named]
        self.slices, start = [], 0
        for parameter in self.parameters:
            self.slices.append(slice(start, start + parameter.numel()))
            start += parameter.numel()
        self.values, self.flat_gradient = np.empty(start, np.float32), np.zeros(start, np.float32)
        self.views, self.gradients = {}, {}
        for (name, parameter), part in zip(named, self.slices, strict=True):
            view = self.values[part].reshape(tuple(parameter.shape))
            view[...] = parameter.detach().numpy()
            parameter.data = torch.from_numpy(view)
            self.views[name] = view
            self.gradients[name] = self.flat_gradient[part].reshape(view.shape)

    def part(self, module: str) -> dict[str, Array]:
        """Return the views of a module inside, by its own names."""
        return _part(self.views, module)

    def gradient_part(self, module: str) -> dict[str, Array]:
        """Return the gradients of a module inside, by its own names."""
        return _part(self.gradients, module)


def _part(views: Mapping[str, Array], module: str) -> dict[str, Array]:
    prefix = f'{module}.'
    return {name.removeprefix(prefix): view for name, view in views.items() if name.startswith(prefix)}


class _Adam:
    """Adam (arXiv 1412.6980) as torch computes it, on flat arrays that are also the torch optimiser's state."""

    def __init__(self, optimizer: torch.optim.Adam, flat: _Flat) -> None:
        self.optimizer, self.flat = optimizer, flat
        self.mean, self.square = np.zeros_like(flat.values), np.zeros_like(flat.values)
        self.count = torch.zeros(())
        self.bind()

    def bind(self) -> None:
        """Copy what state the optimiser has, and make it see these arrays."""
        state = self.optimizer.state
        for parameter, part in zip(self.flat.parameters, self.flat.slices, strict=True):
            mean, square = (torch.from_numpy(array[part]).view(parameter.shape) for array in (self.mean, self.square))
            if parameter in state:
                mean.copy_(state[parameter]['exp_avg'])
                square.copy_(state[parameter]['exp_avg_sq'])
                self.count.copy_(state[parameter]['step'])
            state[parameter] = {'step': self.count, 'exp_avg': mean, 'exp_avg_sq': square}

    def step(self, max_grad_norm: float) -> None:
        """Take one step along the flat gradient."""
        gradient = self.flat.flat_gradient
        if max_grad_norm > 0:
            gradient *= np.float32(min(1.0, max_grad_norm / (float(np.sqrt(np.dot(gradient, gradient))) + 1e-6)))
        group: dict[str, Any] = self.optimizer.param_groups[0]
        self.count += 1
        count, (beta1, beta2) = float(self.count), group['betas']
        rate = group['lr'] / (1 - beta1**count)
        root = (1 - beta2**count) ** 0.5
        adam(
            self.flat.values, gradient, self.mean, self.square,
            *np.array([rate, beta1, beta2, root, group['eps']], np.float32),
        )  # fmt: skip


def supports(optimizers: Sequence[torch.optim.Optimizer], device: torch.device) -> bool:
    """Say whether the fused path computes just what these optimisers would: plain Adam, on the CPU."""
    plain = {'weight_decay': 0, 'amsgrad': False, 'maximize': False}
    return device.type == 'cpu' and all(
        type(optimizer) is torch.optim.Adam
        and len(optimizer.param_groups) == 1
        and all(optimizer.param_groups[0][name] == value for name, value in plain.items())
        for optimizer in optimizers
    )


@kernel
def adam(  # noqa: PLR0917
    values: Array, gradient: Array, mean: Array, square: Array,
    rate: float, beta1: float, beta2: float, root: float, epsilon: float,
) -> None:  # fmt: skip
    """Take one Adam step; rate is lr / (1 - beta1^n), root is sqrt(1 - beta2^n)."""
    one = np.float32(1.0)
    for i in range(values.size):
        g = gradient[i]
        mean[i] = beta1 * mean[i] + (one - beta1) * g
        square[i] = beta2 * square[i] + (one - beta2) * g * g
        values[i] -= rate * mean[i] / (np.sqrt(square[i]) / root + epsilon)


@kernel
def follow(slow: Array, online: Array, tau: float) -> None:
    """Move the target by tau towards the online parameters."""
    for i in range(slow.size):
        slow[i] += tau * (online[i] - slow[i])
