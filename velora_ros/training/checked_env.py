"""The environment as the training loop sees it: actions in [-1, 1] in, finite numbers out, one sentence if it fails."""

import math
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.spec import PolicySpec
from velora_ros.training.agent import Array


class CheckedEnv:
    """
    An environment whose numbers are checked; its arrays are copied, since many write each step into the same one.

    Args:
        env: the environment.
        spec: its names and bounds.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], spec: PolicySpec) -> None:
        self._env, self._spec = env, spec
        self._low, self._high = spec.low, spec.high
        self._half_range = (spec.high - spec.low) / 2
        self._dtype = env.action_space.dtype

    def reset(self, seed: int, episode: int) -> tuple[Array, Array | None]:
        """
        Begin an episode.

        Returns:
            the observation, shape (observation,), and what the critic sees with it, shape (state,); None: the same.

        Raises:
            UnsupportedEnvironmentError: the environment failed, or the observation is not finite.
        """
        when = f'at the start of episode {episode}'
        try:
            observation, info = self._env.reset(seed=seed)
        except Exception as error:
            raise env_failure(error, when) from error
        return self._observation(observation, when), _privileged(info)

    def step(self, action: Array, number: int) -> tuple[Array, Array | None, float, bool, bool, float]:
        """
        Step with an action in [-1, 1], mapped onto the bounds and clipped to them for rounding.

        Args:
            action: shape (action,).
            number: of the step, for messages.

        Returns:
            the observation and what the critic sees with it, as :meth:`reset` does, the reward, whether the episode was
            terminated, whether it was truncated, and the elapsed time over the nominal period, dt/T.

        Raises:
            UnsupportedEnvironmentError: the environment failed, or a number is not finite.
        """
        command = self._low + (action + 1) * self._half_range
        command = np.minimum(np.maximum(command, self._low), self._high)  # twice as fast as clip
        try:
            observation, reward, terminated, truncated, info = self._env.step(command.astype(self._dtype))
        except Exception as error:
            raise env_failure(error, f'in step {number}') from error
        reward = float(reward)
        if not math.isfinite(reward):
            raise UnsupportedEnvironmentError(
                f'the environment returned the reward {reward} in step {number}; rewards must be finite. '
                'Bound the reward, or end the episode before it diverges.'
            )
        when, period = f'in step {number}', self._spec.control_period
        elapsed = float(info.get('dt', period)) / period
        return (
            self._observation(observation, when), _privileged(info), reward, bool(terminated), bool(truncated), elapsed,
        )  # fmt: skip

    def _observation(self, values: npt.ArrayLike, when: str) -> Array:
        observation = np.array(values, dtype=np.float32)
        if not all(np.isfinite(observation).tolist()):  # of so few entries three times as fast as numpy's all
            entries = ', '.join(self._spec.observation_names[i] for i in np.flatnonzero(~np.isfinite(observation)))
            raise UnsupportedEnvironmentError(
                f'the environment returned an observation that is not finite ({entries}) {when}; '
                'observations must be finite. End the episode before the simulation diverges.'
            )
        return observation


def _privileged(info: dict[str, Any]) -> Array | None:
    values = info.get('privileged_state')
    return None if values is None else np.array(values, dtype=np.float32)


def env_failure(error: Exception, when: str) -> UnsupportedEnvironmentError:
    """Return what to raise where an environment raised something; ``when`` is part of the sentence."""
    reason = ' '.join(str(error).split()).rstrip('.')
    return UnsupportedEnvironmentError(
        f'the environment failed {when} ({type(error).__name__}{": " if reason else ""}{reason}); '
        'repair it, or end the episode before it fails.'
    )
