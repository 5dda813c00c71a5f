"""Environments for vectors whose episodes end at random, and an agent that writes down what each stream remembers."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from velora_ros.policy import PolicyFile
from velora_ros.replay_buffers import Transition, Transitions


class Walk(gymnasium.Env[np.ndarray, np.ndarray]):
    """
    A walk that the action pushes; its place, and when it ends, come from the environment's own generator.

    It is terminated now and then, and truncated after ``length`` steps. Every other step tells its time, so that the
    infos of a vector need their masks.
    """

    dt = 0.5  # [s]

    def __init__(self, *, dtype: Any = np.float64, length: int = 9, privileged: bool = True) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), dtype)
        self.action_space = gymnasium.spaces.Box(-2.0, 2.0, (1,), np.float32)
        self._length, self._privileged = length, privileged

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Any]:
        super().reset(seed=seed)
        self._place, self._count = self.np_random.uniform(-1, 1), 0
        return self._observation(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._place += 0.1 * float(action[0]) + self.np_random.uniform(-0.1, 0.1)
        self._count += 1
        terminated = bool(self.np_random.random() < 0.08)
        info = self._info() | ({'dt': 0.25 + self.np_random.random()} if self._count % 2 else {})
        return self._observation(), self._place, terminated, not terminated and self._count >= self._length, info

    def _observation(self) -> np.ndarray:
        return np.array([self._place, self._count], self.observation_space.dtype)

    def _info(self) -> dict[str, Any]:
        return {'privileged_state': np.array([self._place, self._count, 1.0])} if self._privileged else {}


def walks(n: int, mode: AutoresetMode = AutoresetMode.DISABLED, **options: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: Walk(**options)] * n, autoreset_mode=mode)


def choose(observation: np.ndarray, hidden: np.ndarray, dt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An actor with a memory, for one stream or several: what it does depends on all that an episode has shown."""
    after = 0.5 * hidden + 0.1 * dt[..., None] * observation
    return np.tanh(after[..., :1]).astype(np.float32), after.astype(np.float32)


class Recorder:
    """An agent that learns nothing and writes down what the vector loop asks of it."""

    def __init__(self, policy: PolicyFile | None = None) -> None:
        self.remembered: list[list[Transition]] = []
        self.noise: list[np.ndarray] = []
        self.updates = self.random = 0
        self.ended: list[tuple[int, int, bool]] = []
        self.changes: list[dict[str, float]] = []
        self.updates_after: list[tuple[int, int]] = []
        self.warm_up_ended_after: int | None = None
        self._policy = policy

    @property
    def steps(self) -> int:
        return sum(map(len, self.remembered))

    def initial_hidden_batch(self, n_streams: int) -> np.ndarray:
        self.remembered = [[] for _ in range(n_streams)]
        return np.zeros((n_streams, 2), np.float32)

    def act_batch(
        self, observation: np.ndarray, hidden: np.ndarray, dt: np.ndarray, noise_scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        self.noise.append(noise_scale.copy())
        return choose(observation, hidden, dt)

    def random_actions(self) -> np.ndarray:
        self.random += 1
        return np.full((len(self.remembered), 1), 0.5, np.float32)

    def remember_batch(self, transitions: Transitions, taken: np.ndarray) -> None:
        copies = Transitions(*(None if one is None else one.copy() for one in transitions))
        for stream in np.flatnonzero(taken).tolist():
            self.remembered[stream].append(copies.of(stream))

    def end_episode(self, length: int, *, full: bool, stream: int = 0) -> None:
        self.ended.append((stream, length, full))

    def end_warm_up(self) -> None:
        self.warm_up_ended_after = self.steps

    def change(self, values: Mapping[str, float]) -> None:
        self.changes.append(dict(values))

    def learn(self) -> dict[str, float]:
        self.updates += 1
        self.updates_after.append((self.updates, self.steps))
        return {'critic_loss': 2.0, 'actor_loss': -1.0}

    def diagnostics(self) -> dict[str, float]:
        return {'updates': self.updates}

    def policy_file(self) -> PolicyFile:
        assert self._policy is not None
        return self._policy
