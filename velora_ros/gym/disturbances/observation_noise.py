"""Wrappers for what a real robot adds: noise on the observations and delay of the actions."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from velora_ros.errors import ConfigError
from velora_ros.gym.action_names import are_controls, keep_their_pose
from velora_ros.gym.checks import check_env
from velora_ros.gym.disturbances.random_streams import Stream
from velora_ros.gym.disturbances.stack import DelayLine, Noise
from velora_ros.gym.mujoco_warnings import warnings_to
from velora_ros.gym.observation_names import Signal

Env = gym.Env[Any, Any]

# Degrees of freedom times physics steps that take a second or so.
AFFORDABLE = 150_000
FEWEST_STEPS = 20
# An observation with such a value comes of a simulation that diverges.
DIVERGED = 1e8


def signal_deviation(env: Env, steps: int = 1000, seed: int = 0) -> npt.NDArray[np.float64]:
    """
    Return the standard deviation of each observation entry under random actions, shape (S,), the unit of noise.

    Use it as ``ObservationNoise(env, 0.1 * signal_deviation(env))``. The environment needs a reset afterwards.

    Args:
        env: the environment; its observations are vectors.
        steps: steps of the random policy.
        seed: of the environment and of the actions.
    """
    check_env(env)
    with warnings_to(lambda text: None):  # a random policy may well make a simulation diverge
        return _deviation(env, steps, seed)


def affordable_steps(env: Env) -> int:
    """Return for how many steps :func:`signal_deviation` takes a second or so: 1,000, fewer in a large simulation."""
    base: Any = env.unwrapped
    size = int(getattr(getattr(base, 'model', None), 'nv', 1)) * int(getattr(base, 'frame_skip', 1))
    return max(FEWEST_STEPS, min(1000, AFFORDABLE // max(size, 1)))


def _deviation(env: Env, steps: int, seed: int) -> npt.NDArray[np.float64]:
    assert isinstance(env.action_space, spaces.Box)
    rng = np.random.default_rng(seed)
    low, high = env.action_space.low, env.action_space.high
    observation, _ = env.reset(seed=seed)
    seen = [np.array(observation)]  # a copy: many environments write each step into the same array
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(rng.uniform(low, high).astype(env.action_space.dtype))
        if terminated or truncated:
            observation, _ = env.reset()
        seen.append(np.array(observation))
    rows = np.asarray(seen, dtype=np.float64)
    sound = (np.abs(rows) < DIVERGED).all(axis=1)  # NaN neither
    deviation: npt.NDArray[np.float64] = np.std(rows if sound.all() else rows[sound], axis=0)
    return deviation


class ObservationNoise(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Add Gaussian noise to every observation, that of a reset included; the observation space's bounds hold.

    Args:
        env: the environment; its observations are vectors.
        deviation: standard deviation of the noise in the observation's units, one number or one for each entry.
        privileged: whether the clean observation is passed on for the critic, as ``info['privileged_state']``, unless a
            wrapper inside passes on something of its own.

    Raises:
        ConfigError: a deviation is negative or not finite, or there are too few or too many.
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
                f'deviation is {values}; it must be finite and not negative, one number or {self._space.shape[0]}.'
            )
        self._noise = Noise(np.broadcast_to(values, self._space.shape), self._space.low, self._space.high)
        self._privileged = privileged
        self._stream = Stream('ObservationNoise')

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset; see the class."""
        self._stream.on_reset(seed)
        observation, info = self.env.reset(seed=seed, options=options)
        return self._noisy(observation), self._info(info, observation)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; see the class."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._noisy(observation), reward, terminated, truncated, self._info(info, observation)

    def _info(self, info: dict[str, Any], clean: Any) -> dict[str, Any]:
        return {'privileged_state': clean, **info} if self._privileged else info

    def rename(self, signals: list[Signal]) -> list[Signal]:
        """Return the names as they are: a noisy angle is still that angle."""
        return signals

    def _noisy(self, observation: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return self._noise.add(observation, self._stream.rng).astype(self._space.dtype)


class ActionDelay(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Apply each action some control periods late; until the first one arrives the robot gets zero, or the nearest bound.

    A position servo of a MuJoCo model, whose action is its target, keeps its pose until then.

    Args:
        env: the environment.
        steps: the delay in control periods, or the least and the greatest one, drawn anew at each reset.
        privileged: whether the observation, the actions on their way (the next to arrive first, zeros where there are
            fewer than the greatest delay) and the delay are passed on for the critic, in one vector as
            ``info['privileged_state']``. Without them the critic cannot tell what its action will do.

    Raises:
        ConfigError: a delay is no whole number of at least 0, or the two are in the wrong order.
    """

    def __init__(self, env: Env, steps: int | tuple[int, int] = 1, *, privileged: bool = False) -> None:
        RecordConstructorArgs.__init__(self, steps=steps, privileged=privileged)
        gym.Wrapper.__init__(self, env)
        check_env(env)
        least, greatest = steps if isinstance(steps, tuple | list) else (steps, steps)
        if not (isinstance(least, int) and isinstance(greatest, int) and 0 <= least <= greatest):
            raise ConfigError(f'steps is {steps}; it must be a whole number of at least 0, or two in order.')
        self._least, self._greatest, self._privileged = least, greatest, privileged
        assert isinstance(env.action_space, spaces.Box)
        self._rest = np.clip(0, env.action_space.low, env.action_space.high).astype(env.action_space.dtype)
        self._servos = _servos(env)
        self._stream = Stream('ActionDelay')
        self._waiting: DelayLine[Any] = DelayLine()
        self._delay = self._periods = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset; see the class."""
        self._stream.on_reset(seed)
        self._delay, self._periods = int(self._stream.rng.integers(self._least, self._greatest + 1)), 0
        self._waiting.clear()
        observation, info = self.env.reset(seed=seed, options=options)
        rest = self._resting()
        for period in range(self._delay):
            self._waiting.put(rest.copy(), period)
        return observation, self._info(info, observation)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; see the class."""
        self._waiting.put(np.array(action, copy=True), self._periods + self._delay)
        [arrived] = self._waiting.take(self._periods)
        self._periods += 1
        observation, reward, terminated, truncated, info = self.env.step(arrived)
        return observation, reward, terminated, truncated, self._info(info, observation)

    def _resting(self) -> Any:
        if self._servos is None:
            return self._rest
        from velora_ros.gym.actuators import resting_controls  # noqa: PLC0415 - it needs MuJoCo, which is there by now

        base: Any = self.env.unwrapped
        space = self.env.action_space
        assert isinstance(space, spaces.Box)
        controls = np.clip(resting_controls(base.model, base.data), space.low, space.high)
        return np.where(self._servos, controls, self._rest).astype(space.dtype)

    def _info(self, info: dict[str, Any], observation: Any) -> dict[str, Any]:
        if not self._privileged:
            return info
        missing = [np.zeros_like(self._rest)] * (self._greatest - len(self._waiting))
        delay = [float(len(self._waiting))]
        return {**info, 'privileged_state': np.concatenate([observation, *self._waiting, *missing, delay])}


def _servos(env: Env) -> npt.NDArray[np.bool_] | None:
    """Return which actions are the targets of position servos, shape (action,); None: none is."""
    base: Any = env.unwrapped
    found = np.array(keep_their_pose(base, int(np.prod(env.action_space.shape or (0,)))), dtype=bool)
    if found.any():
        found &= np.array(are_controls(env), dtype=bool)
    return found if found.any() else None
