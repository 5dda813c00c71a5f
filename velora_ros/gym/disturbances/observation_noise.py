"""Noise and bias on the observations: for arrays of n streams, and as a gymnasium wrapper."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from velora_ros.contract.joint_signals import Signal
from velora_ros.errors import ConfigError
from velora_ros.gym.check_spaces import check_env
from velora_ros.gym.disturbances.random_generators import Array, Mask, StreamGenerators

Env = gym.Env[Any, Any]


class Noise:
    """
    Adds Gaussian noise to the observations of n streams, within their bounds.

    Args:
        deviation: standard deviation of the noise of each observation, in its unit, shape (k,).
        low: lowest value of each observation, shape (k,).
        high: highest value of each observation, shape (k,).
        streams: the random generators.
    """

    def __init__(
        self, deviation: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, streams: StreamGenerators
    ) -> None:
        self._deviation, self._low, self._high = np.asarray(deviation), np.asarray(low), np.asarray(high)
        self._streams = streams

    def add(self, observations: npt.NDArray[np.floating], mask: Mask | None = None) -> Array:
        """
        Return observations with noise, shape (n, k).

        Args:
            observations: the true values, shape (n, k).
            mask: the streams that are read, shape (n,); None: all. The others' observations are returned unchanged.
        """
        noisy: Array = np.clip(observations + self._streams.normal(self._deviation, mask), self._low, self._high)
        return noisy if mask is None else np.where(mask[:, None], noisy, observations)


class Bias(Noise):
    """Adds a constant offset to each observation, drawn at each reset; for the arguments see :class:`Noise`."""

    def __init__(
        self, deviation: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, streams: StreamGenerators
    ) -> None:
        super().__init__(deviation, low, high, streams)
        self._offset = np.zeros((len(streams), *self._deviation.shape))

    def reset(self, mask: Mask | None = None) -> None:
        """Draw the offsets of the streams in the mask, shape (n,); None: of all."""
        chosen = slice(None) if mask is None else mask
        self._offset[chosen] = self._streams.normal(self._deviation, mask)[chosen]

    def add(self, observations: npt.NDArray[np.floating], mask: Mask | None = None) -> Array:
        """
        Return observations with their offsets, shape (n, k).

        Args:
            observations: the true values, shape (n, k).
            mask: the streams that are read, shape (n,); None: all. The others' observations are returned unchanged.
        """
        biased: Array = np.clip(observations + self._offset, self._low, self._high)
        return biased if mask is None else np.where(mask[:, None], biased, observations)


class ObservationNoise(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Add Gaussian noise to every observation, also at a reset, within the bounds of the observation space.

    Args:
        env: the environment; its observations are vectors.
        deviation: standard deviation of the noise in the observation's units, one number or one for each observation.
        privileged: whether ``info['privileged_state']`` holds the observation without noise, for the critic, unless a
            wrapper inside provides its own.

    Raises:
        ConfigError: a deviation is negative or not finite, or the number of deviations is wrong.
    """

    def __init__(self, env: Env, deviation: npt.ArrayLike, *, privileged: bool = False) -> None:
        values = np.asarray(deviation, dtype=np.float64)
        RecordConstructorArgs.__init__(self, deviation=values.tolist(), privileged=privileged)
        gym.Wrapper.__init__(self, env)
        check_env(env)
        assert isinstance(env.observation_space, spaces.Box)
        self._space = env.observation_space
        if values.shape not in ((), self._space.shape) or not (np.isfinite(values) & (values >= 0)).all():
            raise ConfigError(
                f'deviation is {values}; it must be one number or {self._space.shape[0]}, finite and at least 0.'
            )
        self._streams = StreamGenerators('ObservationNoise')
        deviations = np.broadcast_to(values, self._space.shape)
        self._noise = Noise(deviations, self._space.low, self._space.high, self._streams)
        self._privileged = privileged

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; return its observation with noise."""
        self._streams.reset([seed])
        observation, info = self.env.reset(seed=seed, options=options)
        return self._noisy(observation), self._info(info, observation)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; return its observation with noise."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._noisy(observation), reward, terminated, truncated, self._info(info, observation)

    def rename(self, signals: list[Signal]) -> list[Signal]:
        """Return the names unchanged: an angle with noise is still that angle."""
        return signals

    def _info(self, info: dict[str, Any], clean: Any) -> dict[str, Any]:
        return {'privileged_state': clean, **info} if self._privileged else info

    def _noisy(self, observation: npt.NDArray[Any]) -> npt.NDArray[Any]:
        noisy: npt.NDArray[Any] = self._noise.add(observation[None])[0].astype(self._space.dtype)
        return noisy
