"""
The training loop in many environments at once: act, step, remember, learn, for n streams in one call each.

Each stream has its own hidden state, episode, exploration noise and replay ring. Only streams whose episode has just
ended are handled one by one. :mod:`velora_ros.training.single_env_loop` does the same in one environment.

A run can be saved at regular intervals, counted in transitions, so that training does not depend on when checkpoints
are written. If the vector's state can be saved (:mod:`velora_ros.training.save_vector_env_state`), nothing else happens
at these points. Otherwise the episodes of all streams are cut off there and new episodes begin, even in a run that is
never interrupted. Cut episodes count as truncated, so that the critic bootstraps from their last state, and are not
recorded.
"""

import dataclasses
import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

from velora_ros.errors import ConfigError
from velora_ros.replay_buffers import Transitions
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Agent
from velora_ros.training.checked_vector_env import CheckedVectorEnv, VectorStep
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.loop_base import LoopBase, RunOptions
from velora_ros.training.records import EpisodeSums, RunState
from velora_ros.training.vector_env_checks import time_limit

logger = logging.getLogger(__name__)

PART = 100
"""Steps of the vector after which a run can be saved, if the vector's state can be saved."""
CUT = (1_000, 10_000)
"""Limits of the number of steps if the state cannot be saved: ``max_steps``, so that a whole episode fits in."""
NOISE = 1  # (seed, stream, episode, NOISE) seeds an episode's noise level; (seed, stream, episode) its reset
LOSSES = ('critic_loss', 'actor_loss')
SAVED = ('lengths', 'returns', 'hidden', 'dt', 'noise_scales', 'updates_before', 'losses')


class VectorTrainingLoop(LoopBase):
    """
    One training run of an agent in a vector of environments.

    Args:
        agent: acts and learns; its replay has one stream for each environment.
        env: the vector; it stays open.
        spec: bounds and nominal period of each of its environments.
        config: the hyperparameters; the groups ``agent`` and ``env`` are not used.
        options: everything else.

    Raises:
        ConfigError: the vector resets itself and its own time limit is above ``max_steps``.
    """

    def __init__(
        self, agent: Agent, env: VectorEnv[Any, Any, Any], spec: PolicySpec, config: TrainConfig, options: RunOptions
    ) -> None:
        super().__init__(agent, config, options)
        self._env = CheckedVectorEnv(env, spec, options.privileged_dim)
        _check_limit(self._env, time_limit(env), config.max_steps)
        n = env.num_envs
        self._part = n * (PART if self._env.can_save else min(max(config.max_steps, CUT[0]), CUT[1]))
        self._episodes = np.full(n, options.episodes_before, np.int64)  # the current episode of each stream
        self._lengths, self._returns = np.zeros(n, np.int64), np.zeros(n)
        self._hidden, self._dt = agent.initial_hidden_batch(n), np.ones(n, np.float32)
        self._noise_scales = np.zeros(n, np.float32)
        self._losses = np.zeros((2, len(LOSSES)))  # sums and numbers of losses since training began
        self._updates_before = np.zeros((n, 2, len(LOSSES)))  # the same when the episodes began
        self._must_reset = True
        if options.resumed is not None and options.resumed.streams:
            self._continue(options.resumed.streams)

    def _run_part(self) -> None:
        """Run to the next point where the run can be saved, or until the budget is spent."""
        if self._must_reset:
            self._begin_all()
        end = (self._step // self._part + 1) * self._part
        self._can_rest = False
        while self._step < end and not (self._budget_spent() or self._episodes_done()):
            self._vector_step()
        if self._step >= end and not self._env.can_save:
            self._cut_all()
        self._can_rest = self._step >= end or self._env.can_save
        if self._step >= end:
            self._rest(last=False)

    def _vector_step(self) -> None:
        agent, env, config = self._agent, self._env, self._config
        observation, state, begun = env.observation, env.state, env.begun
        self._hidden[begun], self._dt[begun] = 0.0, 1.0

        # Act: with exploration noise, or at random in the start-up steps.
        action, next_hidden = agent.act_batch(observation, self._hidden, self._dt, self._noise_scales)
        if self._step < config.start_steps and not self._begins_trained:
            action = agent.random_actions()

        # Step: time passes in every environment.
        step = env.step(action, self._step)
        self._terms.add(env.info)

        # Remember: a transition of each stream, with the hidden state before it.
        agent.remember_batch(
            Transitions(
                observation, action, step.reward, step.terminated, step.observation, self._dt, step.dt,
                self._hidden, begun, state, step.state,
            ),
            step.taken,
        )  # fmt: skip
        taken = int(step.taken.sum())
        self._step += taken
        self._hidden, self._dt = next_hidden, step.dt
        self._lengths += step.taken
        self._returns[step.taken] += step.reward[step.taken]

        # Learn: the updates that are due after these transitions.
        if self._step - taken < config.start_steps <= self._step:
            agent.end_warm_up()
        metrics = None
        for _ in range(self._updates.due(config, self._step, taken)):
            metrics = agent.learn()

        self._add_losses(metrics)
        self._end_episodes(step)
        self._after_step(taken)

    def _end_episodes(self, step: VectorStep) -> None:
        """Record the episodes that ended, and begin the next episodes."""
        ended = step.terminated | step.truncated
        if not self._env.resets_itself:
            ended |= self._lengths >= self._config.max_steps
        if not ended.any():
            return
        streams = np.flatnonzero(ended).tolist()
        for stream in streams:
            self._agent.end_episode(int(self._lengths[stream]), full=not step.terminated[stream], stream=stream)
            self._record_stream(stream)
        self._change_hyperparameters()
        self._begin(streams)
        if not self._env.resets_itself:  # otherwise it has begun them, or will begin them in its next step
            self._env.reset(self._seeds(streams))

    def _record_stream(self, stream: int) -> None:
        self._episode += 1
        sums, counts = self._losses - self._updates_before[stream]
        means = {name: float(total / count) for name, total, count in zip(LOSSES, sums, counts, strict=True) if count}
        self._record_episode(EpisodeSums.of_episode(int(self._lengths[stream]), float(self._returns[stream]), means))

    def _begin_all(self) -> None:
        self._must_reset = False
        self._change_hyperparameters()
        if self._env.resets_itself and self._step == self._steps_before:
            logger.info(
                'the vector of environments resets itself (%s): only its first reset, and resets at which all episodes '
                'are cut off so that the run can be saved, are seeded',
                self._env.mode.value,
            )
        streams = list(range(self._env.num_envs))
        self._begin(streams)
        self._env.reset(self._seeds(streams))

    def _begin(self, streams: list[int]) -> None:
        """Count the next episodes of some streams."""
        self._episodes[streams] += 1
        self._lengths[streams], self._returns[streams] = 0, 0.0
        self._updates_before[streams] = self._losses
        self._noise_scales[streams] = [self._noise_of_episode(stream) for stream in streams]

    def _cut_all(self) -> None:
        """End the episodes of all streams where the run is saved, because the streams' state cannot be saved."""
        for stream in np.flatnonzero(self._lengths).tolist():
            self._agent.end_episode(int(self._lengths[stream]), full=True, stream=stream)
        self._must_reset = True

    def _add_losses(self, metrics: Mapping[str, float] | None) -> None:
        for column, name in enumerate(LOSSES if metrics else ()):
            if metrics and math.isfinite(value := metrics[name]):  # the actor has no loss before its first update
                self._losses[:, column] += value, 1

    def _seeds(self, streams: list[int]) -> dict[int, int]:
        return {stream: stream_seed(self._seed, stream, int(self._episodes[stream])) for stream in streams}

    def _noise_of_episode(self, stream: int) -> float:
        """Return the noise of a stream's episode: a function of seed, stream and episode, the same in a resumed run."""
        config = self._config
        if config.noise_low == 1:
            return config.noise_scale
        rng = np.random.default_rng((self._seed, stream, int(self._episodes[stream]), NOISE))
        return config.noise_scale * float(rng.uniform(config.noise_low, 1))

    def _state(self) -> RunState:
        streams: dict[str, npt.NDArray[Any]] = {
            'steps': np.array(self._step), 'ended': np.array(self._episode), 'episodes': self._episodes.copy()
        }  # fmt: skip
        if not self._must_reset and self._env.can_save:
            streams |= {f'vector.{name}': value for name, value in self._env.get_state().items()}
            streams |= {name: getattr(self, f'_{name}').copy() for name in SAVED}
        return dataclasses.replace(super()._state(), seconds=self._watch.seconds(), streams=streams)

    def _continue(self, streams: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore the state that the streams had when the run was saved."""
        self._episode, self._episodes = int(streams['ended']), streams['episodes'].copy()
        vector = {name.removeprefix('vector.'): one for name, one in streams.items() if name.startswith('vector.')}
        if vector:
            self._env.set_state(vector)
            for name in SAVED:
                setattr(self, f'_{name}', streams[name].copy())
            self._must_reset = False


def stream_seed(seed: int, stream: int, episode: int) -> int:
    """Return the seed with which to reset a stream's environment for one of its episodes, counted from 1."""
    return int(np.random.SeedSequence((seed, stream, episode)).generate_state(1)[0] >> 1)


def _check_limit(env: CheckedVectorEnv, limit: int | None, max_steps: int) -> None:
    if env.resets_itself and limit is not None and max_steps < limit:
        raise ConfigError(
            f'max_steps is {max_steps}, but the vector of environments ends episodes by itself only after {limit} '
            "steps; raise max_steps, or make the vector with autoreset_mode='Disabled'."
        )
