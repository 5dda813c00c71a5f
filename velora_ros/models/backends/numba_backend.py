"""
Every value and gradient in compiled loops, for small networks on the CPU.

With networks of this size, torch spends most of its time between operations. The loops work on the memory of torch's
parameters and of torch's Adam state, so that saving, exporting and predicting work as with torch. Tests compare values
and gradients with :mod:`velora_ros.models.backends.torch_backend`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.network import CompiledEncoder, CompiledNetwork, Tape
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_adam import FlatAdam, FlatParameters
from velora_ros.models.backends.numba_batch import BatchLayout, NormaliserView, to_columns, to_steps
from velora_ros.models.backends.numba_critic import CompiledCritic
from velora_ros.models.backends.numba_losses import column_returns, motor_penalty, soft_update_arrays
from velora_ros.models.backends.protocol import check_loss
from velora_ros.models.targets import traces, value_of_critics
from velora_ros.models.threads_and_denormals import flushing
from velora_ros.replay_buffers import Batch
from velora_ros.training import TrainConfig
from velora_ros.training.diagnostics import SATURATED

Array = npt.NDArray[np.float32]
Metrics = dict[str, float]
Result = TypeVar('Result')


class NumbaBackend:
    """
    A :class:`velora_ros.models.backends.protocol.Backend` in compiled loops.

    :func:`velora_ros.models.backends.choose_backend.why_not_numba` lists what it cannot run.

    Args:
        networks: networks on the CPU; this moves their parameters into flat arrays that they share with torch.
        actor_optimizer: plain Adam over the actor's parameters.
        critic_optimizer: plain Adam over the parameters of ``networks.critic_side()``.
        threads: 1, or 2 to let each of two critics learn in its own thread; the results are identical bit for bit.

    Raises:
        ConfigError: the actor's cell has no kernels.
    """

    def __init__(
        self,
        networks: Networks,
        actor_optimizer: torch.optim.Adam,
        critic_optimizer: torch.optim.Adam,
        *,
        threads: int = 1,
    ) -> None:
        self.networks = networks
        self._others = ThreadPoolExecutor(1, 'second critic') if threads > 1 and len(networks.critics) > 1 else None
        self._actor, self._actor_target = FlatParameters(networks.actor), FlatParameters(networks.actor_target)
        self._critics = FlatParameters(networks.critic_side())
        self._critics_target = FlatParameters(networks.critic_side(target=True))
        self._actor_adam = FlatAdam(actor_optimizer, self._actor)
        self._critic_adam = FlatAdam(critic_optimizer, self._critics)
        self.actor = CompiledNetwork(networks.actor.wiring, self._actor.views)
        self._target = CompiledNetwork(networks.actor.wiring, self._actor_target.views)
        self._observation_map = NormaliserView(networks.observation_normaliser)
        self._state_map = NormaliserView(networks.state_normaliser)
        self._online_critics = _critics(networks, self._critics)
        self._target_critics = _critics(networks, self._critics_target)
        self._batches: dict[tuple[int, ...], BatchLayout] = {}
        self._memory = self._memory_target = None
        self._states = np.empty((0, 0, 0), np.float32)
        if networks.memory is not None:
            self._memory = CompiledEncoder(networks.memory.wiring, self._critics.part('memory'))
            self._memory_target = CompiledEncoder(networks.memory.wiring, self._critics_target.part('memory'))
            self._memory_gradients = self._critics.gradient_part('memory')

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild a copy from its parts: copied views would not be views of the copied parameters."""
        return NumbaBackend, (self.networks, self._actor_adam.optimizer, self._critic_adam.optimizer)

    def act(self, observation: Array, hidden: Array, dt: float) -> tuple[Array, Array]:
        """Run the actor on one observation; see :meth:`Backend.act`."""
        inputs = self._observation_map(observation)
        if self._memory is None:
            return self.actor.step(inputs, hidden, dt)
        size = self.actor.n_command
        motor, after = self.actor.step(inputs, hidden[:size], dt)
        return motor, np.concatenate([after, self._memory.advance(inputs, hidden[size:], dt)])

    def act_batch(self, observation: Array, hidden: Array, dt: Array) -> tuple[Array, Array]:
        """Run the actor on n sequences of one step; see :meth:`Backend.act_batch`."""
        inputs = np.ascontiguousarray(self._observation_map(observation).T)[None]
        before, elapsed, never = np.ascontiguousarray(hidden.T), dt[None], np.zeros((1, len(dt)), np.float32)
        size = self.actor.n_command
        motor, tape = self.actor.forward(inputs, before[:size], elapsed, never)
        after = tape.states[0]
        if self._memory is not None:
            after = np.concatenate([after, self._memory.encode(inputs, before[size:], elapsed, never).states[0]])
        return np.ascontiguousarray(motor[0].T), after.T.copy()

    def value(self, state: Array, memory: Array, action: Array) -> float:
        """Return the first critic's Q; see :meth:`Backend.value`."""
        inputs = np.concatenate([self._state_map(state), memory, action])
        return float(self._online_critics[0].values(inputs[:, None])[0])

    def states(self, batch: Batch) -> Array:
        """Return the hidden states after sequences; see :meth:`Backend.states`."""
        size = self.actor.n_command
        inputs = np.ascontiguousarray(self._observation_map(batch.observation).transpose(1, 2, 0))
        dt, first, hidden = (np.ascontiguousarray(values.T) for values in (batch.dt, batch.first, batch.hidden))
        ends = [self.actor.encode(inputs, hidden[:size], dt, first).states[-1]]
        if self._memory is not None:
            ends.append(self._memory.encode(inputs, hidden[size:], dt, first).states[-1])
        return np.concatenate(ends).T

    def prepare(self, batch: Batch, burn_in: int) -> BatchLayout:
        """Return a batch in this backend's layout, in the memory of the last batch of this shape."""
        shape = (*batch.observation.shape, batch.hidden.shape[1], burn_in)
        if shape not in self._batches:
            self._batches[shape] = BatchLayout(batch, self.actor.n_command, burn_in)
        data = self._batches[shape]
        data.fill(batch, self._observation_map, self._state_map)
        return data

    def targets(self, data: BatchLayout, noise: Array, config: TrainConfig) -> Array:
        """Return the critics' targets, shape (M,), one for each column with loss; see :meth:`Backend.targets`."""
        burn_in, following, batch = data.burn_in, (data.next_dt, data.never), data.source
        sequences = data.observation, data.hidden, data.dt, data.first
        if config.trace_width > 0:
            policy, tape = self._target.forward(*sequences)
            to_columns(policy, burn_in, data.policy_rows)
        else:
            tape = self._target.encode(*sequences)
        to_columns(tape.states, burn_in, data.after)
        motor, _ = self._target.forward(data.next_observation, data.after, *following)
        smooth(motor[0], noise, data.next_action_rows)
        if self._memory_target is not None:
            states = self._memory_target.encode(data.observation, data.memory, data.dt, data.first).states
            to_columns(states, burn_in, data.memory_after)
            tape = self._memory_target.encode(data.next_observation, data.memory_after, *following)
            data.next_memory_rows[:] = tape.states[0]
        values = self._each(lambda critic: critic.values(data.next_inputs), self._target_critics)
        value = value_of_critics(values, config.mean_share)
        trace = traces(data.action_rows, data.policy_rows, config.trace, config.trace_width, axis=0)
        elapsed = batch.next_dt if batch.elapsed is None else batch.elapsed
        returns = np.empty(value.size, np.float32)
        column_returns(
            batch.reward, batch.terminated, elapsed, batch.first, burn_in,
            config.gamma, trace, config.reward_scale, value, returns,
        )  # fmt: skip
        return returns

    def critic_step(
        self, data: BatchLayout, target: Array, config: TrainConfig, *, measure: bool = False
    ) -> tuple[Metrics, Metrics]:
        """Take one optimiser step of the critics; see :meth:`Backend.critic_step`."""
        tape = self._run_memory(data)
        n_slopes = 0 if tape is None else data.n_seen
        errors, means, slopes = zip(
            *self._each(lambda critic: critic.learn(data.inputs, target, n_slopes), self._online_critics), strict=True
        )
        if self._memory is not None and tape is not None:
            to_steps(sum(slopes)[-len(data.memory) :], data.burn_in, data.d_memory)
            self._memory.decode(tape, data.d_memory, self._memory_gradients, burn_in=data.burn_in)
        loss = sum(errors)
        check_loss('critic', loss)
        diagnostics: Metrics = {}
        if measure:
            diagnostics = {'target_mean': float(target.mean()), 'critic_gradient': self._critics.gradient_norm()}
            if len(self._online_critics) > 1:  # computed again: learn() turned the values into derivatives
                one, other = (critic.values(data.inputs) for critic in self._online_critics[:2])
                diagnostics['twin_gap'] = float(np.abs(one - other).mean())
        self._critic_adam.step(config.max_grad_norm)
        return {'critic_loss': loss, 'q_mean': means[0]}, diagnostics

    def actor_step(self, data: BatchLayout, config: TrainConfig, *, measure: bool = False) -> tuple[Metrics, Metrics]:
        """Take one optimiser step of the actor; see :meth:`Backend.actor_step`."""
        motor, tape = self.actor.forward(data.observation, data.hidden, data.dt, data.first)
        self._states = tape.states[data.burn_in :]
        self._run_memory(data)
        to_columns(motor, data.burn_in, data.action_rows)  # replaces the batch's actions, which are no longer needed
        loss, slope = self._online_critics[0].loss_slope(data.inputs, data.n_seen)
        to_steps(slope, data.burn_in, data.d_motor)
        if config.motor_penalty > 0:
            loss += motor_penalty(motor[data.burn_in :], config.motor_penalty, data.d_motor[data.burn_in :])
        check_loss('actor', loss)
        self.actor.backward(motor, tape, data.d_motor, self._actor.gradients, burn_in=data.burn_in)
        diagnostics: Metrics = {}
        if measure:
            shares = [float((np.abs(values[data.burn_in :]) > SATURATED).mean()) for values in (motor, tape.states)]
            diagnostics = {
                'action_saturation': shares[0],
                'hidden_saturation': shares[1],
                'actor_gradient': self._actor.gradient_norm(),
            }
        self._actor_adam.step(config.max_grad_norm)
        return {'actor_loss': loss}, diagnostics

    def actor_states(self) -> Array:
        """Return the actor's hidden states in its last step; see :meth:`Backend.actor_states`."""
        return self._states

    def follow_targets(self, tau: float, *, actor: bool = True) -> None:
        """Let the target networks follow; see :meth:`Backend.follow_targets`."""
        if actor:
            soft_update_arrays(self._actor_target.values, self._actor.values, tau)
        soft_update_arrays(self._critics_target.values, self._critics.values, tau)

    def refresh(self) -> None:
        """Adopt replaced weights and optimiser states; see :meth:`Backend.refresh`."""
        self.refresh_weights()
        self._actor_adam.bind()
        self._critic_adam.bind()

    def refresh_weights(self) -> None:
        """Adopt replaced weights; see :meth:`Backend.refresh_weights`."""
        for flat in (self._actor, self._actor_target, self._critics, self._critics_target):
            flat.attach()
        self._observation_map.bind()
        self._state_map.bind()

    def _each(self, compute: Callable[[CompiledCritic], Result], critics: Sequence[CompiledCritic]) -> Sequence[Result]:
        """Return the result of a function for each critic, in order; on two threads if there are two."""
        if self._others is None:
            return [compute(critic) for critic in critics]
        others = [self._others.submit(flushing(compute), critic) for critic in critics[1:]]
        return [compute(critics[0]), *(other.result() for other in others)]

    def _run_memory(self, data: BatchLayout) -> Tape | None:
        """Write the states of the critics' memory, if they have one, into the batch; return the tape of this pass."""
        if self._memory is None:
            return None
        tape = self._memory.encode(data.observation, data.memory, data.dt, data.first)
        to_columns(tape.states, data.burn_in, data.memory_rows)
        return tape


def _critics(networks: Networks, flat: FlatParameters) -> list[CompiledCritic]:
    names = [f'critics.{index}' for index in range(len(networks.critics))]
    n_hidden = len(networks.critics[0].norms)  # type: ignore[arg-type]
    return [CompiledCritic(flat.part(name), flat.gradient_part(name), n_hidden) for name in names]


@kernel
def smooth(action: Array, noise: Array, out: Array) -> None:
    """Set ``out`` to actions, (action, M), plus smoothing noise, (B, L, action), clipped to [-1, 1]."""
    n_sequences, length, n_actions = noise.shape
    for i in range(n_actions):
        for t in range(length):
            for b in range(n_sequences):
                n = t * n_sequences + b
                out[i, n] = min(max(action[i, n] + noise[b, t, i], np.float32(-1.0)), np.float32(1.0))
