"""Small environments whose right answers are known."""

from typing import Any

import gymnasium
import numpy as np


class Reach(gymnasium.Env[np.ndarray, np.ndarray]):
    """One step from a random place: the reward is highest where the action cancels the observation. No spec."""

    dt = 0.1  # [s]

    def __init__(self, *, low: float = -2.0, high: float = 2.0, length: int = 10) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = gymnasium.spaces.Box(low, high, (1,), np.float32)
        self.length = length
        self.actions: list[np.ndarray] = []
        self.closed = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 0
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.actions.append(action)
        reward = -float((action[0] + self.place) ** 2)
        self.count += 1
        return self._observation(), reward, False, self.count >= self.length, {}

    def close(self) -> None:
        self.closed = True

    def _observation(self) -> np.ndarray:
        self.place = float(self.np_random.uniform(-1, 1))
        return np.array([self.place, 1.0])
