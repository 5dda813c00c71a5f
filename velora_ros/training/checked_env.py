"""The training loop's view of an environment: actions in [-1, 1], checked numbers, and clear errors."""

import math
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from velora_ros.errors import DivergenceError, UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import FAILURES, described
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Array

REPAIR, REPAIR_OR_END = 'repair it', 'repair it, or end the episode before it fails'


class CheckedEnv:
    """
    An environment whose numbers are checked; its arrays are copied, because many environments reuse them.

    Args:
        env: the environment.
        spec: its names and bounds.
        privileged_dim: entries of ``info['privileged_state']``; 0: there are none; None: as many as at the first reset.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], spec: PolicySpec, privileged_dim: int | None = None) -> None:
        self._env, self._spec, self._privileged_dim = env, spec, privileged_dim
        self._shape = (spec.observation_dim,)
        self._low, self._high = spec.low, spec.high
        self._half_range = (spec.high - spec.low) / 2
        self._dtype = env.action_space.dtype
        self.info: dict[str, Any] = {}
        """The infos of the last step."""

    def reset(self, seed: int, episode: int) -> tuple[Array, Array | None]:
        """
        Start an episode.

        Returns:
            the observation, shape (observation,), and the critic's state, shape (state,); None: the critic sees the
            observation.

        Raises:
            UnsupportedEnvironmentError: the environment failed, or its numbers are not finite or have another shape
                than before.
        """
        when = f'at the start of episode {episode}'
        try:
            observation, info = self._env.reset(seed=seed)
        except FAILURES as error:
            raise env_failure(error, when, REPAIR) from error
        return self._observation(observation, when), self._privileged(info, when)

    def step(self, action: Array, number: int) -> tuple[Array, Array | None, float, bool, bool, float]:
        """
        Step with an action in [-1, 1], mapped onto the bounds and clipped to them, because rounding may exceed them.

        Args:
            action: shape (action,).
            number: number of the step, for messages.

        Returns:
            observation and critic's state, as :meth:`reset` returns them, reward, whether the episode was terminated,
            whether it was truncated, and the elapsed time over the nominal period, dt/T.

        Raises:
            UnsupportedEnvironmentError: as :meth:`reset`, or the elapsed time is not above 0.
            DivergenceError: the action is not finite.
        """
        when = f'in step {number}'
        if not all(np.isfinite(action).tolist()):
            raise DivergenceError.of(f"the policy's action {when}")
        command = self._low + (action + 1) * self._half_range
        command = np.minimum(np.maximum(command, self._low), self._high)  # twice as fast as clip
        try:
            observation, reward, terminated, truncated, info = self._env.step(command.astype(self._dtype))
        except FAILURES as error:
            raise env_failure(error, when) from error
        self.info = info
        reward = reward_of(reward, when)
        if not math.isfinite(reward):
            raise UnsupportedEnvironmentError(
                f'the environment returned the reward {reward} {when}; rewards must be finite. '
                'Bound the reward, or end the episode before it diverges.'
            )
        return (
            self._observation(observation, when), self._privileged(info, when),
            reward, bool(terminated), bool(truncated), self._elapsed(info, when),
        )  # fmt: skip

    def _observation(self, values: npt.ArrayLike, when: str) -> Array:
        try:
            observation = np.array(values, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UnsupportedEnvironmentError(
                f'the environment returned an observation that is a {type(values).__name__} and not a vector of '
                f'numbers {when}; it must be an array of shape {self._shape}.'
            ) from error
        if observation.shape != self._shape:
            raise UnsupportedEnvironmentError(
                f'the environment returned an observation of shape {observation.shape} {when}; its observation space '
                f'has the shape {self._shape}. Reshape it in the environment.'
            )
        if not all(np.isfinite(observation).tolist()):  # for so few entries three times as fast as numpy's all
            entries = ', '.join(self._spec.observation_names[i] for i in np.flatnonzero(~np.isfinite(observation)))
            raise UnsupportedEnvironmentError(
                f'the environment returned an observation that is not finite ({entries}) {when}; '
                'observations must be finite. End the episode before the simulation diverges.'
            )
        return observation

    def _privileged(self, info: dict[str, Any], when: str) -> Array | None:
        values = info.get('privileged_state')
        if values is None and not self._privileged_dim:
            self._privileged_dim = 0
            return None
        try:
            state = np.array(() if values is None else values, dtype=np.float32, ndmin=1)
        except (TypeError, ValueError) as error:
            raise UnsupportedEnvironmentError(
                f"info['privileged_state'] is {values!r} {when}; it must be a vector of numbers."
            ) from error
        if self._privileged_dim is None:
            self._privileged_dim = state.size
        if state.shape != (self._privileged_dim,):
            came = 'is missing' if values is None else f'has the shape {state.shape}'
            wanted = f'have the shape ({self._privileged_dim},)' if self._privileged_dim else 'be omitted'
            raise UnsupportedEnvironmentError(
                f"info['privileged_state'] {came} {when}; it must {wanted}, as when training began, in the info of "
                'every reset and step.'
            )
        if not all(np.isfinite(state).tolist()):
            raise UnsupportedEnvironmentError(
                f"info['privileged_state'] is not finite (entry {np.flatnonzero(~np.isfinite(state))[0]}) {when}; "
                'it must hold finite numbers. End the episode before the simulation diverges.'
            )
        return state

    def _elapsed(self, info: dict[str, Any], when: str) -> float:
        period = self._spec.control_period
        seconds = info.get('dt', period)
        try:
            elapsed = float(seconds) / period
        except (TypeError, ValueError):
            elapsed = math.nan
        if not (math.isfinite(elapsed) and elapsed > 0):
            raise UnsupportedEnvironmentError(
                f"info['dt'] is {seconds!r} {when}; it must be the elapsed time, a finite number of seconds above 0. "
                'Omit it if every step takes the nominal period.'
            )
        return elapsed


def reward_of(value: Any, when: str) -> float:
    """
    Return a reward as a float.

    Args:
        value: a number, or an array of one number.
        when: the step, for the message.

    Raises:
        UnsupportedEnvironmentError: the value is neither.
    """
    try:
        if isinstance(value, str | bytes):
            raise TypeError('a string is not a number')
        return float(value.item() if isinstance(value, np.ndarray) else value)
    except (TypeError, ValueError) as error:
        raise UnsupportedEnvironmentError(
            f'the environment returned the reward {value!r} {when}; it must be one number. Return a float.'
        ) from error


def env_failure(error: BaseException, when: str, advice: str = REPAIR_OR_END) -> UnsupportedEnvironmentError:
    """Return the error to raise when an environment fails; ``when`` and ``advice`` become part of the message."""
    return UnsupportedEnvironmentError(f'the environment failed {when} ({described(error)}); {advice}.')
