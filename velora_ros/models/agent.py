"""The agent: how it acts, and how it learns, in the order of the paper (DDPG, arXiv 1509.02971)."""

import contextlib
import dataclasses
import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from velora_ros.liquid import Wiring
from velora_ros.liquid.cell_registry import cell_kind
from velora_ros.models.agent_diagnostics import Outcome, hidden_staleness, warning_of_rewards
from velora_ros.models.agent_state import AgentState
from velora_ros.models.backends.choose_backend import choose_backend, where_to_learn
from velora_ros.models.backends.cuda_graph_learner import DeviceLearner
from velora_ros.models.backends.protocol import check_loss
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.models.exploration import StreamNoise, add_and_clip, explore, random_action
from velora_ros.models.optimisers import make_plain, set_learning_rate
from velora_ros.models.random_streams import Streams
from velora_ros.models.schedules import learning_rates, progress
from velora_ros.models.targets import smoothing_noise
from velora_ros.models.threads_and_denormals import flushing
from velora_ros.replay_buffers import Batch, SequenceBuffer, StreamBuffer, Transition, Transitions
from velora_ros.training import TrainConfig
from velora_ros.training.diagnostics import SAMPLE_EVERY
from velora_ros.utils.slow_steps import slow_step

logger = logging.getLogger(__name__)

Array = np.ndarray

COMPILING = 'compiling the training loops for this processor; this takes up to a minute, once after installation'
READ_EVERY = 100
"""Updates on CUDA between two readings of their losses; each reading waits for the device."""
CHECK_EVERY = 1000
"""Updates between two checks for weights that a callback has replaced; a check takes 0.1 ms."""


class DDPGAgent(AgentState):
    """
    The DDPG agent, a :class:`velora_ros.training.Agent`. The base class documents the arguments and creates the parts.

    :meth:`act` and :meth:`remember` are called at every step of the environment, :meth:`learn` for every update. The
    ``buffer`` is the replay (``replay_buffers/sequence_buffer.py``), the ``backend`` computes values and gradients
    and takes the optimisers' steps (``backends/torch_backend.py`` or ``numba_backend.py``), the ``networks`` are in
    ``actor_and_critics.py``.
    """

    def __init__(
        self, wiring: Wiring, streams: Streams, config: TrainConfig, *, optim: type[Optimizer], device: torch.device
    ) -> None:
        super().__init__(wiring, streams, config, optim=optim, device=device)
        self._outcome, self._noise, self._actor_loss = Outcome(), 0.0, math.nan
        self._last: Transition | None = None
        self._compiled = False
        self._device_metrics: dict[str, float] = {}
        self._stream_sources: dict[tuple[str, int, int], StreamNoise] = {}

    def state(self, *, buffer: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the whole agent for :meth:`restore`, also in the middle of an episode."""
        tensors, values = super().state(buffer=buffer)
        loss = self._actor_loss if math.isfinite(self._actor_loss) else None
        return tensors, {**values, 'outcome': self._outcome.state(), 'actor_loss': loss}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Restore the output of :meth:`state`; see :meth:`AgentState.restore`."""
        super().restore(tensors, values)
        if 'outcome' in values:  # files of earlier releases have none
            self._outcome.restore(values['outcome'])
        if values.get('actor_loss') is not None:
            self._actor_loss = float(values['actor_loss'])

    def configure(self, config: TrainConfig) -> None:
        """Apply the hyperparameters of ``train``; the constructor's hyperparameters do not change."""
        self.config = dataclasses.replace(config, **self.config.agent_arguments())
        self._learner = None
        optimizers = self.actor_optimizer, self.critic_optimizer
        for optimizer in optimizers:
            make_plain(optimizer)
        self.backend.refresh()  # a program may have replaced weights or optimiser states since the last call
        if self.n_streams and self.config.episode_share:
            logger.warning(
                'episode_share is %g but has no effect: sequences from a vector of environments are drawn uniformly',
                self.config.episode_share,
            )
        if self.n_streams and self.config.refresh_hidden:
            logger.warning(
                'refresh_hidden has no effect: the replay of a vector of environments keeps its hidden states'
            )
        device = where_to_learn(self.device, self.config, self.networks, optimizers)
        if device != self.device:
            logger.info('the updates are so small that the CPU is faster than %s; the agent uses the CPU', self.device)
        if device != self.networks.device:
            self._move_to(device)
        elif choose_backend(self.config, self.networks, optimizers) != self.backend_choice:
            self.backend_choice, self.backend = self._choose_backend()

    @flushing
    def compile(self) -> None:
        """Compile the acting code before the first episode, and log which backend runs."""
        logger.info('%s', self.backend_choice)
        with slow_step(COMPILING):
            self.backend.act(np.zeros(self.wiring.n_sensory, np.float32), self.initial_hidden(), 1.0)

    @flushing
    def act(self, observation: Array, hidden: Array, dt: float, noise_scale: float) -> tuple[Array, Array]:
        """Choose an action; see :class:`velora_ros.training.Agent`."""
        action, state = self.backend.act(observation, hidden, dt if self.config.dt_input else 1.0)
        self._hidden_now, self._noise = state, 0.0
        if noise_scale > 0:
            self._noise = noise_scale * self.config.noise_final ** self._progress()
            explore(action, self._noise, self.streams.noise)
        return action, state

    def random_action(self) -> Array:
        """Draw an action uniformly from [-1, 1], shape (action,)."""
        return random_action(self.wiring.n_motor, self.streams.action)

    def remember(self, transition: Transition) -> None:
        """Store one transition; update the counters, the range of elapsed times and the measured error of Q."""
        self.steps += 1
        self.episodes += transition.first
        if self.config.dt_input:
            shortest, longest = self.dt_range
            self.dt_range = min(shortest, transition.next_dt), max(longest, transition.next_dt)
        assert isinstance(self.buffer, SequenceBuffer)
        self.buffer.add(transition)
        self._follow(transition)

    def initial_hidden_batch(self, n_streams: int) -> Array:
        """Return the hidden states at the start of episodes: zeros, shape (n, hidden)."""
        return np.zeros((n_streams, self.hidden_size), np.float32)

    @flushing
    def act_batch(self, observation: Array, hidden: Array, dt: Array, noise_scale: Array) -> tuple[Array, Array]:
        """Choose an action for each of n streams; see :class:`velora_ros.training.Agent`."""
        action, state = self.backend.act_batch(observation, hidden, dt if self.config.dt_input else np.ones_like(dt))
        self._hidden_now = state[0]
        scale = noise_scale * self.config.noise_final ** self._progress()
        self._noise = float(scale.mean())
        if self._noise > 0:
            noise = self._stream_noise('normal').at(self.vector_steps) * scale[:, None].astype(np.float32)
            add_and_clip(action.reshape(-1), noise.reshape(-1))
        return action, state

    def random_actions(self) -> Array:
        """Draw an action of each stream uniformly from [-1, 1], shape (n, action)."""
        return self._stream_noise('uniform').at(self.vector_steps).copy()

    def remember_batch(self, transitions: Transitions, taken: npt.NDArray[np.bool_]) -> None:
        """Store a transition of each stream that took a step; stream 0 represents all in the diagnostics of Q."""
        assert isinstance(self.buffer, StreamBuffer)
        self.vector_steps += 1
        self.steps += int(taken.sum())
        self.episodes += int((transitions.first & taken).sum())
        if self.config.dt_input:
            times, (shortest, longest) = transitions.next_dt[taken], self.dt_range
            self.dt_range = float(times.min(initial=shortest)), float(times.max(initial=longest))
        self.buffer.add(transitions, None if taken.all() else taken)
        if taken[0]:
            self._follow(transitions.of(0))

    def _stream_noise(self, kind: str) -> StreamNoise:
        key = kind, self.n_streams, self.streams.run_seed
        if key not in self._stream_sources:
            self._stream_sources[key] = StreamNoise(self.streams.run_seed, self.n_streams, self.wiring.n_motor, kind)
        return self._stream_sources[key]

    def _follow(self, transition: Transition) -> None:
        """Add a transition to the comparison of Q with the actual return of the episode."""
        if transition.first:
            self._outcome.begin(self._value(transition) if self.updates else math.nan)
        self._outcome.add(self.config.reward_scale * transition.reward, self.config.gamma, transition.next_dt)
        self._last = transition

    @flushing
    def learn(self) -> dict[str, float] | None:
        """Run one update and return its metrics; None while the replay holds less than a batch or no full sequence."""
        config, backend = self.config, self.backend
        needed = config.burn_in + config.sequence_length
        if len(self.buffer) < config.batch_size or self.buffer.longest() < needed:
            return None
        self.updates += 1
        measure = self.updates % SAMPLE_EVERY == 0
        if self._learns_on_device:
            return self._learn_on_device(measure=measure)
        self._set_learning_rates()
        if self.updates % CHECK_EVERY == 0:
            backend.refresh_weights()

        # Sample sequences, each with the hidden state that was stored before its first step.
        batch = self._sample()
        n_sequences, length, n_actions = batch.action.shape
        noise = smoothing_noise(
            (n_sequences, length - config.burn_in, n_actions), config.target_noise, self.streams.noise
        )
        with contextlib.nullcontext() if self._compiled else slow_step(COMPILING):
            data = backend.prepare(batch, config.burn_in)
            # Targets: y = r + gamma^(dt'/T) Q'(s', mu'(o') + noise), r after a termination, as lambda returns.
            target = backend.targets(data, noise, config)
            # Critic: one step down (Q(o, a) - y)^2.
            critic, seen_by_critic = backend.critic_step(data, target, config, measure=measure)
            # Actor, every actor_every-th time: one step up Q(o, mu(o)), backpropagated through the sequence.
            turn_of_actor = self.updates % config.actor_every == 0
            seen_by_actor: dict[str, float] = {}
            if turn_of_actor:
                measure_actor = self.updates % SAMPLE_EVERY < config.actor_every  # at its first turn after a sample
                actor, seen_by_actor = backend.actor_step(data, config, measure=measure_actor)
                self._actor_loss = actor['actor_loss']
                if config.refresh_hidden and isinstance(self.buffer, SequenceBuffer):
                    self.buffer.refresh(backend.actor_states(), config.burn_in)
            # Target networks: theta' <- (1 - tau) theta' + tau theta.
            backend.follow_targets(config.tau, actor=turn_of_actor)
        self._compiled = True
        if turn_of_actor:
            self.networks.average_actor(config.policy_tau, self.updates)

        if measure:
            self.gathered.add({'q_mean': critic['q_mean'], **seen_by_critic})
        if seen_by_actor:
            self.gathered.add(seen_by_actor)
        return {'critic_loss': critic['critic_loss'], 'actor_loss': self._actor_loss, 'q_mean': critic['q_mean']}

    @property
    def _learns_on_device(self) -> bool:
        """Whether replay and updates stay on the device: on CUDA, with Adam or AdamW, and with a plain replay."""
        plain = type(self.actor_optimizer) in {torch.optim.Adam, torch.optim.AdamW}
        simple = self.config.episode_share == 0 and not self.config.refresh_hidden
        return self.networks.device.type == 'cuda' and plain and simple

    def _learn_on_device(self, *, measure: bool) -> dict[str, float]:
        """
        Run one update that never waits for the device, except every :data:`READ_EVERY` updates.

        Returns:
            the metrics that were read last.

        Raises:
            DivergenceError: a loss is not finite; some optimiser steps may already have used it.
        """
        config = self.config
        if self._learner is None:
            assert isinstance(self.backend, TorchBackend)
            graphs = self.networks.device.type == 'cuda'
            self._learner = DeviceLearner(self.backend, self.buffer, config, seed=self.streams.run_seed, graphs=graphs)
        self._learner.set_learning_rates(*self._learning_rates())
        turn_of_actor = self.updates % config.actor_every == 0
        self._learner.update(self.updates, actor=turn_of_actor)
        if turn_of_actor:
            self.networks.average_actor(config.policy_tau, self.updates)
        if not self._device_metrics or self.updates % READ_EVERY == 0:
            self._device_metrics = metrics = self._learner.metrics()
            check_loss('critic', metrics['critic_loss'])
            check_loss('actor', metrics['actor_loss'])
            if measure:
                self.gathered.add({n: v for n, v in metrics.items() if n not in {'critic_loss', 'actor_loss'}})
        return {name: self._device_metrics[name] for name in ('critic_loss', 'actor_loss', 'q_mean')}

    def _sample(self) -> Batch:
        """Draw a batch from the replay, into the memory of the last batch."""
        config = self.config
        n_sequences, length = config.batch_size // config.sequence_length, config.burn_in + config.sequence_length
        if self._batch is None or self._batch.reward.shape != (n_sequences, length):
            self._batch = self.buffer.empty_batch(n_sequences, length)
        shares = {'episode_share': config.episode_share} if isinstance(self.buffer, SequenceBuffer) else {}
        self.buffer.sample(n_sequences, length, self.streams.replay, into=self._batch, **shares)
        if config.dt_input:
            return self._batch
        nominal = np.ones_like(self._batch.dt)  # the discount still counts the time that passed
        return dataclasses.replace(self._batch, dt=nominal, next_dt=nominal, elapsed=self._batch.next_dt)

    def _learning_rates(self) -> tuple[float, float]:
        return learning_rates(self.config, self._progress(), self.steps, began_from_file=self.began_from_file)

    def _set_learning_rates(self) -> None:
        actor_lr, critic_lr = self._learning_rates()
        set_learning_rate(self.actor_optimizer, actor_lr)
        set_learning_rate(self.critic_optimizer, critic_lr)

    def _progress(self) -> float:
        return progress(self.config, self.steps, self.steps_of_full_episodes)

    def end_warm_up(self) -> None:
        """
        Freeze the normalisers, if the agent has any, with the start-up statistics; warn of unsuitable rewards.

        The normalisers are frozen only once, because the networks learn with their values.
        """
        if text := warning_of_rewards(*self.buffer.rewards_and_terminations()):
            logger.warning('%s', text)
        bounds = self.config.least_deviation, self.config.score_limit
        if self._normaliser_is_due and len(self.buffer) > 1:
            observations, states = self.buffer.observations_and_states()
            self.networks.observation_normaliser.freeze(observations, *bounds)
            self.networks.state_normaliser.freeze(states, *bounds)
        elif self.began_from_file and self.config.normalise and not self.networks.state_normaliser.frozen:
            self.networks.state_normaliser.freeze(self.buffer.observations_and_states()[1], *bounds)  # a new critic

    @flushing
    def end_episode(self, length: int, *, full: bool, stream: int = 0) -> None:
        """
        Count the steps of episodes that lasted their full time, which may determine the learning rates.

        A failed episode halves the count, because the search is not over while some starts still fail.
        """
        self.steps_of_full_episodes = self.steps_of_full_episodes + length if full else self.steps_of_full_episodes // 2
        if stream == 0 and math.isfinite(self._outcome.expected):
            self.gathered.add(self._outcome.end(self._value_of_the_rest() if full else 0.0))

    def change(self, values: Mapping[str, float]) -> None:
        """Set new learning rates; every change is recorded in the policy's provenance."""
        rates: dict[str, Any] = {name: values[name] for name in ('actor_lr', 'critic_lr') if name in values}
        self.config = dataclasses.replace(self.config, **rates)
        self.provenance['changes'] = [*self.provenance.get('changes', []), {'steps': self.steps, **values}]

    @flushing
    def diagnostics(self) -> dict[str, float]:
        """Return the values of :data:`velora_ros.training.diagnostics.DIAGNOSTICS` since the last call."""
        return {
            **self.gathered.take(),
            'hidden_staleness': self._staleness() if self.updates else math.nan,
            'noise': self._noise,
            'actor_lr': float(self.actor_optimizer.param_groups[0]['lr']),
            'critic_lr': float(self.critic_optimizer.param_groups[0]['lr']),
            'updates': self.updates,
        }

    def _staleness(self) -> float:
        remembers = np.ones(self.hidden_size, bool)
        remembers[: self.wiring.n_command] = cell_kind(self.wiring.cell).recurrent
        return hidden_staleness(self.backend, self.buffer, remembers, dt_input=self.config.dt_input)

    def _value(self, transition: Transition) -> float:
        """Return the first critic's Q for the state and action of the latest transition."""
        state = transition.state if self.privileged_dim else transition.observation
        return self._critic_value(state, np.asarray(transition.action, np.float32))

    def _value_of_the_rest(self) -> float:
        """Return Q of the state after the last transition, with the action that the actor would take there."""
        assert self._last is not None
        observation = np.asarray(self._last.next_observation, np.float32)
        dt = self._last.next_dt if self.config.dt_input else 1.0
        action, self._hidden_now = self.backend.act(observation, self._hidden_now, dt)
        return self._critic_value(self._last.next_state if self.privileged_dim else observation, action)

    def _critic_value(self, state: Any, action: Array) -> float:
        memory = self._hidden_now[self.wiring.n_command :]
        return self.backend.value(np.asarray(state, np.float32), memory, action)
