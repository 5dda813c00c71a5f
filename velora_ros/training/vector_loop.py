"""
The training loop in many environments at once: act, step, remember, learn, for n streams in one call each.

Each stream has its own hidden state, episode, exploration noise and replay ring. Only streams whose episode has just
ended are handled one by one. :mod:`velora_ros.training.loop` does the same in one environment.

A run can be saved every :data:`PART` transitions. Where the vector can save its state (``get_state`` and ``set_state``)
nothing else happens there. Where it cannot, the episodes of all streams are truncated there and begin anew, also in a
run that is never interrupted, so that a resumed run computes the same.
"""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

from velora_ros.errors import ConfigError
from velora_ros.replay import Transitions
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Agent
from velora_ros.training.checked_vector_env import CheckedVectorEnv, VectorStep
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.records import EpisodeSums, RunState
from velora_ros.training.run_loop import RunLoop, RunOptions

logger = logging.getLogger(__name__)

PART = 50_000
"""Transitions after which a run can be saved."""
NOISE = 1  # (seed, stream, episode, NOISE) seeds the share of an episode's noise; (seed, stream, episode) its reset

Array = npt.NDArray[np.float32]


class VectorTrainingLoop(RunLoop):
    """
    One training run of an agent in a vector of environments.

    Args:
        agent: acts and learns; its replay has as many streams.
        env: the vector; it stays open.
        spec: bounds and nominal period of each of its environments.
        config: the hyperparameters; those of the groups ``agent`` and ``env`` are not read.
        options: everything else.

    Raises:
        ConfigError: the vector resets itself and its own time limit is above ``max_steps``.
    """

    def __init__(
        self, agent: Agent, env: VectorEnv[Any, Any, Any], spec: PolicySpec, config: TrainConfig, options: RunOptions
    ) -> None:
        super().__init__(agent, config, options)
        self._env = CheckedVectorEnv(env, spec, options.privileged_dim)
        _check_limit(env, self._env, config.max_steps)
        n = env.num_envs
        self._episodes = np.zeros(n, np.int64)  # of each stream, counted from 1
        self._lengths, self._returns = np.zeros(n, np.int64), np.zeros(n)
        self._hidden, self._dt = agent.initial_hidden_batch(n), np.ones(n, np.float32)
        self._noise_scales = np.zeros(n, np.float32)
        self._sums = EpisodeSums()  # of the metrics of updates since the last episode ended
        self._must_reset = True
        if options.resumed is not None and options.resumed.streams:
            self._continue(options.resumed.streams)

    def _run_part(self) -> None:
        """Run to the next multiple of :data:`PART` transitions."""
        if self._must_reset:
            self._begin_all()
        end = (self._step // PART + 1) * PART
        self._can_rest = False
        while self._step < end and not (self._budget_spent() or self._episodes_done()):
            self._vector_step()
        self._can_rest = self._step >= end or self._env.get_state() is not None
        if self._can_rest:
            if self._env.get_state() is None:
                self._truncate_all()
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
        step = env.step(action)

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
        self._sums.add(0.0, self._learn(taken))
        self._end_episodes(step)
        self._after_step(taken)

    def _end_episodes(self, step: VectorStep) -> None:
        """Record the episodes that ended, and begin the next ones."""
        too_long = (self._lengths >= self._config.max_steps) & step.taken
        ended = step.terminated | step.truncated | (too_long & (not self._env.resets_itself))
        if not ended.any():
            return
        for stream in np.flatnonzero(ended).tolist():
            self._agent.end_episode(int(self._lengths[stream]), full=not step.terminated[stream], stream=stream)
            self._record_stream(stream)
        self._lengths[ended], self._returns[ended] = 0, 0.0
        self._begin(ended)

    def _record_stream(self, stream: int) -> None:
        self._episode += 1
        self._record_episode(self._sums.of_episode(int(self._lengths[stream]), float(self._returns[stream])))
        self._sums = EpisodeSums()

    def _begin(self, which: npt.NDArray[np.bool_]) -> None:
        """Begin an episode in some streams; a vector that resets itself has begun it, or will with its next step."""
        self._change_hyperparameters()
        self._episodes[which] += 1
        for stream in np.flatnonzero(which).tolist():
            self._noise_scales[stream] = self._noise_of_episode(stream)
        if not self._env.resets_itself:
            self._env.reset(self._seeds(which), which)

    def _begin_all(self) -> None:
        self._must_reset = False
        self._episodes += 1
        self._lengths[:], self._returns[:] = 0, 0.0
        self._noise_scales[:] = [self._noise_of_episode(stream) for stream in range(self._env.num_envs)]
        if self._env.resets_itself and self._step == self._steps_before:
            logger.info(
                'the vector of environments resets itself (%s): only its first reset is seeded', self._env.mode.value
            )
        self._env.reset(self._seeds(np.ones(self._env.num_envs, bool)))

    def _truncate_all(self) -> None:
        """End the episodes of all streams where the run can be saved, since their state cannot."""
        for stream in np.flatnonzero(self._lengths).tolist():
            self._agent.end_episode(int(self._lengths[stream]), full=True, stream=stream)
        self._must_reset = True

    def _seeds(self, which: npt.NDArray[np.bool_]) -> list[int | None]:
        episodes = self._episodes.tolist()
        return [stream_seed(self._seed, s, episodes[s]) if one else None for s, one in enumerate(which.tolist())]

    def _noise_of_episode(self, stream: int) -> float:
        """Return the noise of a stream's episode: a function of seed, stream and episode; resumed runs agree."""
        config = self._config
        if config.noise_low == 1:
            return config.noise_scale
        rng = np.random.default_rng((self._seed, stream, int(self._episodes[stream]), NOISE))
        return config.noise_scale * float(rng.uniform(config.noise_low, 1))

    def _state(self) -> RunState:
        state = super()._state()
        state.streams = {'steps': np.array(self._step), 'episodes': self._episodes.copy()}
        if not self._must_reset and (env := self._env.get_state()) is not None:
            state.streams |= {f'vector.{name}': value for name, value in env.items()}
            state.streams |= {
                name: getattr(self, f'_{name}').copy()
                for name in ('lengths', 'returns', 'hidden', 'dt', 'noise_scales')
            }
        return state

    def _continue(self, streams: dict[str, npt.NDArray[Any]]) -> None:
        """Take over the state of the streams when the run was saved."""
        self._episodes = streams['episodes'].copy()
        vector = {name.removeprefix('vector.'): one for name, one in streams.items() if name.startswith('vector.')}
        if vector:
            self._env.set_state(vector)
            for name in ('lengths', 'returns', 'hidden', 'dt', 'noise_scales'):
                setattr(self, f'_{name}', streams[name].copy())
            self._must_reset = False


def stream_seed(seed: int, stream: int, episode: int) -> int:
    """Return the seed with which to reset a stream's environment for one of its episodes."""
    return int(np.random.SeedSequence((seed, stream, episode)).generate_state(1)[0] >> 1)


def _check_limit(env: VectorEnv[Any, Any, Any], checked: CheckedVectorEnv, max_steps: int) -> None:
    limit = getattr(getattr(env, 'spec', None), 'max_episode_steps', None)
    envs = getattr(env, 'envs', None)
    if limit is None and envs:
        limit = getattr(getattr(envs[0], 'spec', None), 'max_episode_steps', None)
    if checked.resets_itself and limit is not None and max_steps < limit:
        raise ConfigError(
            f'max_steps is {max_steps}, and the vector of environments ends episodes by itself only after {limit} '
            "steps; raise max_steps, or make the vector with autoreset_mode='Disabled'."
        )
