"""Frame stacking, as a memory for policies without one: the last observations, each with its elapsed time."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.wrappers import FlattenObservation, FrameStackObservation

from velora_ros.errors import ConfigError
from velora_ros.gym.check_spaces import check_env
from velora_ros.gym.control_period import control_period_of

Env = gym.Env[Any, Any]


class ElapsedTime(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Append the elapsed time to each observation as tau = dt/T - 1, which is 0 with perfect timing.

    Args:
        env: the environment; its observations are vectors, and ``info['dt']`` [s] is the time since the last
            observation.
    """

    def __init__(self, env: Env) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        check_env(env)
        self._period, full = control_period_of(env), env.observation_space
        assert isinstance(full, spaces.Box)
        low, high = np.append(full.low, -1.0), np.append(full.high, np.inf)
        self.observation_space = spaces.Box(low.astype(full.dtype), high.astype(full.dtype), dtype=full.dtype.type)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the first observation is treated as one nominal period after the previous one."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._timed(observation, info), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; return the observation with the elapsed time."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._timed(observation, info), reward, terminated, truncated, info

    def _timed(self, observation: Any, info: dict[str, Any]) -> Any:
        elapsed = info.get('dt', self._period) / self._period - 1
        return np.append(observation, elapsed).astype(observation.dtype)


def stack_frames(env: Env, n_frames: int) -> Env:
    """
    Return an environment that shows its last observations in one vector, each with its elapsed time, the oldest first.

    It is for comparisons: its policies cannot run on a robot, which shows one observation at a time.

    Args:
        env: the environment, with all its other wrappers.
        n_frames: number of observations; after a reset, all of them are the first observation.

    Raises:
        ConfigError: ``n_frames`` is below 1.
    """
    if n_frames < 1:
        raise ConfigError(f'n_frames is {n_frames}; it must be a whole number of at least 1.')
    return FlattenObservation(FrameStackObservation(ElapsedTime(env), n_frames))
