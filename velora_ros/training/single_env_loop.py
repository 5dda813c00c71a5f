"""
The training loop in one environment: act, step, remember, learn.

A transition passes through these files on its way to a step of Adam, in the torch backend:

1. this file: :meth:`TrainingLoop._run_part` takes a step of the environment and calls the agent;
2. ``models/agent.py``: ``remember`` stores the transition, ``learn`` runs an update in the order of the paper;
3. ``replay_buffers/sequence_buffer.py``: ``add`` and ``sample``;
4. ``models/backends/torch_backend.py``: the losses, their gradients and the optimisers' steps;
5. ``models/targets.py``, called by the backend, the agent and the networks: what the critics learn from, and how the
   target networks follow;
6. ``models/actor_and_critics.py``, called by the backend: the networks. The actor is a torch module
   (``liquid/network.py``); its gradient through time is torch's own.

:mod:`velora_ros.training.vector_env_loop` does the same in many environments. :mod:`velora_ros.training.loop_base`
contains what both have in common, such as the budget and the records.
:class:`velora_ros.training.checked_env.CheckedEnv` is the environment with float32 observations and actions in [-1, 1];
it refuses numbers that are not finite.
"""

from typing import Any

import gymnasium
import numpy as np

from velora_ros.replay_buffers import Transition
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Agent
from velora_ros.training.checked_env import CheckedEnv
from velora_ros.training.evaluation import episode_seed
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.loop_base import LoopBase, RunOptions
from velora_ros.training.records import EpisodeSums

NOISE = 1  # (seed, episode, NOISE) seeds an episode's noise level; (seed, episode) its reset


class TrainingLoop(LoopBase):
    """
    One training run of an agent in an environment, episode by episode.

    Args:
        agent: acts and learns, for example ``DDPGAgent`` (``models/agent.py``).
        env: the training environment; it stays open.
        spec: bounds and nominal period of ``env``.
        config: the hyperparameters; the groups ``agent`` and ``env`` are not used.
        options: everything else.
    """

    def __init__(
        self,
        agent: Agent,
        env: gymnasium.Env[Any, Any],
        spec: PolicySpec,
        config: TrainConfig,
        options: RunOptions,
    ) -> None:
        super().__init__(agent, config, options)
        self._env = CheckedEnv(env, spec, options.privileged_dim)

    def _run_part(self) -> None:
        """Run one episode."""
        self._change_hyperparameters()
        agent, config, sums = self._agent, self._config, EpisodeSums()
        self._episode, self._can_rest = self._episode + 1, False
        observation, state = self._env.reset(episode_seed(self._seed, self._episode), self._episode)
        hidden, dt, noise_scale = agent.initial_hidden(), 1.0, self._noise_of_episode()
        while not (self._can_rest or self._budget_spent()):
            # Act: with exploration noise, or at random in the start-up steps.
            action, next_hidden = agent.act(observation, hidden, dt, noise_scale)
            if self._step < config.start_steps and not self._begins_trained:
                action = agent.random_action()

            # Step: time passes in the environment.
            next_observation, next_state, reward, terminated, truncated, next_dt = self._env.step(
                action, self._step + 1
            )

            self._terms.add(self._env.info)

            # Remember: the transition, with the hidden state before it.
            agent.remember(
                Transition(
                    observation, action, reward, terminated, next_observation, dt, next_dt,
                    hidden, sums.length == 0, state, next_state,
                )
            )  # fmt: skip
            self._step += 1

            # Learn: the updates that are due after this step.
            if self._step == config.start_steps:
                agent.end_warm_up()
            metrics = None
            for _ in range(self._updates.due(config, self._step)):
                metrics = agent.learn()

            sums.add(reward, metrics)

            observation, state, hidden, dt = next_observation, next_state, next_hidden, next_dt
            self._after_step()
            self._can_rest = terminated or truncated or sums.length >= config.max_steps
        if self._can_rest:
            agent.end_episode(sums.length, full=not terminated)
        self._record_episode(sums)
        if self._can_rest:
            self._rest(last=False)

    def _noise_of_episode(self) -> float:
        """Return the noise of this episode: a function of seed and episode, and so the same in a resumed run."""
        config = self._config
        if config.noise_low == 1:
            return config.noise_scale
        rng = np.random.default_rng((self._seed, self._episode, NOISE))
        return config.noise_scale * float(rng.uniform(config.noise_low, 1))
