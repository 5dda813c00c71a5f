"""Hide a part of the observation from the policy, as a gymnasium wrapper; the critic may see all of it in training."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from velora_ros.contract.joint_signals import Signal
from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym.check_spaces import check_env
from velora_ros.gym.env_to_spec import observation_signals

POSITIONS = 'positions'


class PartialObservation(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Show the policy only some of the observations; ``info['privileged_state']`` holds all of them, for training.

    Args:
        env: the environment; its observations are vectors.
        keep: the observations that the policy sees, in this order: indices, names as in the spec, or ``'positions'``
            for every ``<joint>/position``.
        privileged: whether ``info['privileged_state']`` holds the full observation, for the critic, unless a wrapper
            inside provides its own.

    Raises:
        ConfigError: nothing is kept, an observation is kept twice, or there is no such observation.
    """

    def __init__(
        self, env: 'gym.Env[Any, Any]', keep: Sequence[int | str] | str = POSITIONS, *, privileged: bool = True
    ) -> None:
        RecordConstructorArgs.__init__(self, keep=keep, privileged=privileged)
        gym.Wrapper.__init__(self, env)
        check_env(env)
        self._privileged = privileged
        names = [signal.name for signal in observation_signals(env)]
        if isinstance(keep, str):
            if keep != POSITIONS:
                raise ConfigError(f"keep is '{keep}'; it must be '{POSITIONS}' or a list of names or indices.")
            keep = [name for name in names if name.endswith('/position')]
        self._keep = [_index(entry, names) for entry in keep]
        if not self._keep or len(set(self._keep)) != len(self._keep):
            raise ConfigError(f'keep selects {self._keep}; it must select at least one entry, each once.')
        full = env.observation_space
        assert isinstance(full, spaces.Box)
        self.observation_space = spaces.Box(full.low[self._keep], full.high[self._keep], dtype=full.dtype.type)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; return the observations that are kept."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation[self._keep], self._info(info, observation)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; return the observations that are kept."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation[self._keep], reward, terminated, truncated, self._info(info, observation)

    def _info(self, info: dict[str, Any], observation: Any) -> dict[str, Any]:
        return {'privileged_state': observation, **info} if self._privileged else info

    def rename(self, signals: list[Signal]) -> list[Signal]:
        """Return the names of the observations that are kept."""
        return [signals[index] for index in self._keep]


def _index(entry: int | str, names: list[str]) -> int:
    if isinstance(entry, str):
        if entry not in names:
            raise ConfigError(
                f"keep names '{entry}', which the environment does not observe.{did_you_mean(entry, names)}"
            )
        return names.index(entry)
    if isinstance(entry, bool) or not isinstance(entry, int | np.integer) or not 0 <= entry < len(names):
        raise ConfigError(f'keep holds {entry!r}; give names, or indices from 0 to {len(names) - 1}.')
    return int(entry)
