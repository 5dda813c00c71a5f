"""
The whole DDPG update in compiled loops.

Networks of this size spend their time between torch's operations, not in them. NumbaBackend works on the memory
of the torch parameters and of the Adam state, so that saving, exporting and predicting see no difference; tests hold it
to :class:`.TorchBackend`, values and gradients. How arrays are laid out
is said in :mod:`velora_ros.models.backends.numba_batch`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from velora_ros.liquid.cell_registry import CFC
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.controls import CompiledControl
from velora_ros.liquid.kernels.network import CompiledEncoder, CompiledNetwork, Tape
from velora_ros.models.backends.numba_adam import Flat, FlatAdam
from velora_ros.models.backends.numba_batch import Affine, Arranged, to_columns, to_steps
from velora_ros.models.backends.numba_critic import CompiledCritic
from velora_ros.models.backends.torch_backend import UpdateSettings, refuse_divergence
from velora_ros.models.networks import Networks
from velora_ros.models.targets import column_returns
from velora_ros.replay import Batch
from velora_ros.training.diagnostics import SATURATED

Array = npt.NDArray[np.float32]


class NumbaBackend:
    """
    Same call, same result as :class:`.TorchBackend`; CPU and torch's plain Adam only.

    Args:
        networks: their parameters are moved into one flat array each, which torch goes on seeing.
        actor_optimizer: plain Adam over the actor's parameters.
        critic_optimizer: plain Adam over the parameters of ``networks.critic_side()``.
    """

    def __init__(
        self, networks: Networks, actor_optimizer: torch.optim.Adam, critic_optimizer: torch.optim.Adam
    ) -> None:
        self.networks = networks
        self._actor, self._actor_target = Flat(networks.actor), Flat(networks.actor_target)
        self._critics = Flat(networks.critic_side())
        self._critics_target = Flat(networks.critic_side(target=True))
        self._actor_adam = FlatAdam(actor_optimizer, self._actor, self._actor_target)
        self._critic_adam = FlatAdam(critic_optimizer, self._critics, self._critics_target)
        network = CompiledNetwork if networks.actor.wiring.cell == CFC else CompiledControl
        self.actor = network(networks.actor.wiring, self._actor.views)
        self._target = network(networks.actor.wiring, self._actor_target.views)
        self._observation_map = Affine(networks.observation_normaliser)
        self._state_map = Affine(networks.state_normaliser)
        self._online_critics = _critics(networks, self._critics)
        self._target_critics = _critics(networks, self._critics_target)
        self._batches: dict[tuple[int, ...], Arranged] = {}
        self._memory = self._memory_target = None
        if networks.memory is not None:
            self._memory = CompiledEncoder(networks.memory.wiring, self._critics.part('memory'))
            self._memory_target = CompiledEncoder(networks.memory.wiring, self._critics_target.part('memory'))
            self._memory_gradients = self._critics.gradient_part('memory')

    def __reduce__(self) -> tuple[Any, ...]:
        """Have a copy or a pickle made anew from its parts: copied views would not be of the copied parameters."""
        return NumbaBackend, (self.networks, self._actor_adam.optimizer, self._critic_adam.optimizer)

    def rebind(self) -> None:
        """
        Take over weights and optimiser states that were put in since: loaded from a file, or assigned.

        Raises:
            ConfigError: as :meth:`attach`.
        """
        self.attach()
        self._actor_adam.bind()
        self._critic_adam.bind()

    def attach(self) -> None:
        """
        Take over weights alone, which takes 20 us where none was replaced.

        Raises:
            ConfigError: a parameter is another object, or no longer float32 of its shape on the CPU.
        """
        for flat in (self._actor, self._actor_target, self._critics, self._critics_target):
            flat.attach()
        self._observation_map.bind()
        self._state_map.bind()

    def act(self, observation: Array, hidden: Array, dt: float) -> tuple[Array, Array]:
        """Run the actor on one observation; see :class:`.TorchBackend`."""
        inputs = self._observation_map(observation)
        if self._memory is None:
            return self.actor.step(inputs, hidden, dt)
        size = self.actor.n_command
        motor, after = self.actor.step(inputs, hidden[:size], dt)
        return motor, np.concatenate([after, self._memory.advance(inputs, hidden[size:], dt)])

    def value(self, state: Array, memory: Array, action: Array) -> float:
        """Return the first critic's Q; see :class:`.TorchBackend`."""
        inputs = np.concatenate([self._state_map(state), memory, action])
        return float(self._online_critics[0].values(inputs[:, None])[0])

    def states(self, batch: Batch) -> Array:
        """Return the hidden state after sequences; see :class:`.TorchBackend`."""
        size = self.actor.n_command
        inputs = np.ascontiguousarray(self._observation_map(batch.observation).transpose(1, 2, 0))
        dt, first, hidden = (np.ascontiguousarray(values.T) for values in (batch.dt, batch.first, batch.hidden))
        ends = [self.actor.encode(inputs, hidden[:size], dt, first).states[-1]]
        if self._memory is not None:
            ends.append(self._memory.encode(inputs, hidden[size:], dt, first).states[-1])
        return np.concatenate(ends).T

    def __call__(
        self, batch: Batch, noise: np.ndarray, settings: UpdateSettings, seen: dict[str, float] | None = None
    ) -> dict[str, float]:
        """Update critics, actor and targets once; see :class:`.TorchBackend`."""
        data = self._arranged(batch, settings.burn_in)
        target = self._targets(batch, data, noise, settings)
        critic_loss, q_mean = self._update_critics(data, target, settings, seen)
        actor_loss = self._update_actor(data, settings, seen)
        return {'critic_loss': critic_loss, 'actor_loss': actor_loss, 'q_mean': q_mean}

    def _arranged(self, batch: Batch, burn_in: int) -> Arranged:
        """Lay out a batch, in the memory that the last one of its shape had."""
        shape = (*batch.observation.shape, batch.hidden.shape[1], burn_in)
        if shape not in self._batches:
            self._batches[shape] = Arranged(batch, self.actor.n_command, burn_in)
        data = self._batches[shape]
        data.fill(batch, self._observation_map, self._state_map)
        return data

    def _targets(self, batch: Batch, data: Arranged, noise: np.ndarray, settings: UpdateSettings) -> Array:
        """Return the lambda returns, shape (M,): M columns carry loss."""
        burn_in, following = settings.burn_in, (data.next_dt, data.never)
        states = self._target.encode(data.observation, data.hidden, data.dt, data.first).states
        to_columns(states, burn_in, data.after)
        motor = self._target.forward(data.next_observation, data.after, *following)[0]
        disturb(motor[0], noise, data.next_action_rows)
        if self._memory_target is not None:
            states = self._memory_target.encode(data.observation, data.memory, data.dt, data.first).states
            to_columns(states, burn_in, data.memory_after)
            tape = self._memory_target.encode(data.next_observation, data.memory_after, *following)
            data.next_memory_rows[:] = tape.states[0]
        value = self._target_critics[0].values(data.next_inputs)
        for critic in self._target_critics[1:]:
            np.minimum(value, critic.values(data.next_inputs), out=value)
        elapsed = batch.next_dt if batch.elapsed is None else batch.elapsed
        returns = np.empty(value.size, np.float32)
        column_returns(
            batch.reward, batch.terminated, elapsed, batch.first, burn_in,
            settings.gamma, settings.trace, settings.reward_scale, value, returns,
        )  # fmt: skip
        return returns

    def _update_critics(
        self, data: Arranged, target: Array, settings: UpdateSettings, seen: dict[str, float] | None
    ) -> tuple[float, float]:
        """Take one step on the mean squared error of every critic; return the loss and the first one's mean Q."""
        tape = self._run_memory(data)
        n_slopes = 0 if tape is None else data.n_seen
        errors, means, slopes = zip(
            *(critic.learn(data.inputs, target, n_slopes) for critic in self._online_critics), strict=True
        )
        if self._memory is not None and tape is not None:
            to_steps(sum(slopes)[-len(data.memory) :], data.burn_in, data.d_memory)
            self._memory.decode(tape, data.d_memory, self._memory_gradients, burn_in=data.burn_in)
        loss = sum(errors)
        refuse_divergence('critic', loss)
        if seen is not None:
            seen |= {'target_mean': float(target.mean()), 'critic_gradient': self._critics.gradient_norm()}
            if len(self._online_critics) > 1:  # once more: what they said has become the derivative
                one, other = (critic.values(data.inputs) for critic in self._online_critics[:2])
                seen['twin_gap'] = float(np.abs(one - other).mean())
        self._critic_adam.step(settings.max_grad_norm, settings.tau)
        return loss, means[0]

    def _update_actor(self, data: Arranged, settings: UpdateSettings, seen: dict[str, float] | None) -> float:
        """Take one step up the first critic's value of the actor's own actions, through time; return the loss."""
        motor, tape = self.actor.forward(data.observation, data.hidden, data.dt, data.first)
        self._run_memory(data)
        to_columns(motor, data.burn_in, data.action_rows)  # in the place of the batch's actions, which are used up
        loss, slope = self._online_critics[0].loss_slope(data.inputs, data.n_seen)
        to_steps(slope, data.burn_in, data.d_motor)
        refuse_divergence('actor', loss)
        self.actor.backward(motor, tape, data.d_motor, self._actor.gradients, burn_in=data.burn_in)
        if seen is not None:
            shares = [float((np.abs(values[data.burn_in :]) > SATURATED).mean()) for values in (motor, tape.states)]
            seen |= {
                'action_saturation': shares[0],
                'hidden_saturation': shares[1],
                'actor_gradient': self._actor.gradient_norm(),
            }
        self._actor_adam.step(settings.max_grad_norm, settings.tau)
        return loss

    def _run_memory(self, data: Arranged) -> Tape | None:
        """Fill in what the critics' memory holds at each step, if they have one; return the tape of it."""
        if self._memory is None:
            return None
        tape = self._memory.encode(data.observation, data.memory, data.dt, data.first)
        to_columns(tape.states, data.burn_in, data.memory_rows)
        return tape


def _critics(networks: Networks, flat: Flat) -> list[CompiledCritic]:
    names = [f'critics.{index}' for index in range(len(networks.critics))]
    n_hidden = len(networks.critics[0].norms)  # type: ignore[arg-type]
    return [CompiledCritic(flat.part(name), flat.gradient_part(name), n_hidden) for name in names]


@kernel
def disturb(action: Array, noise: Array, out: Array) -> None:
    """Set out to the target's action with the smoothing noise, shape (B, L, action), both of shape (action, M)."""
    n_sequences, length, n_actions = noise.shape
    for i in range(n_actions):
        for t in range(length):
            for b in range(n_sequences):
                n = t * n_sequences + b
                out[i, n] = min(max(action[i, n] + noise[b, t, i], np.float32(-1.0)), np.float32(1.0))
