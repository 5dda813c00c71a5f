"""Uneven control periods and lost frames, as a gymnasium wrapper."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.wrappers import TimeLimit

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.gym.control_period import control_period_of
from velora_ros.gym.disturbances.disturbance_settings import LONGEST, SHORTEST
from velora_ros.gym.disturbances.dropped_frames import DroppedFrames
from velora_ros.gym.disturbances.random_generators import StreamGenerators

Env = gym.Env[Any, Any]

FINEST = 0.1  # a step of the jitter is at most this long [T]


class TimingJitter(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Draw the length of each control period, and drop frames.

    ``info['dt']`` is the time since the last observation [s]. When a frame is dropped, the action is held for another
    period; rewards and times are summed. A period's reward is weighted by its length, so that returns count nominal
    periods. A time limit inside also counts nominal periods: the last period is shortened to meet it.

    The physics time step is divided so that a nominal period T has at least ten physics steps. Because of the finer
    integration, results differ slightly from those of the environment alone. The nominal period,
    ``env.unwrapped.dt``, does not change.

    Args:
        env: one of gymnasium's MuJoCo environments; any environment if only frames are dropped.
        period_range: shortest and longest period [T], within [0.1, 2]; drawn uniformly, in physics steps.
        drop_probability: probability that a frame is lost, independently for each frame.
        max_dropped: largest number of frames lost in a row.

    Raises:
        ConfigError: a value is out of range.
        UnsupportedEnvironmentError: the period varies and the environment has no physics steps to divide.
    """

    def __init__(
        self,
        env: Env,
        *,
        period_range: tuple[float, float] = (0.5, 1.5),
        drop_probability: float = 0.05,
        max_dropped: int = 3,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, period_range=period_range, drop_probability=drop_probability, max_dropped=max_dropped
        )
        gym.Wrapper.__init__(self, env)
        _check(period_range, drop_probability, max_dropped)
        self._period = control_period_of(env)
        self._physics = _physics(env) if tuple(period_range) != (1, 1) else None
        self._parts = _divide(self._physics) if self._physics is not None else 1
        shortest, longest = period_range
        self._least = max(1, math.ceil(shortest * self._parts - 1e-9))
        self._greatest = max(self._least, math.floor(longest * self._parts + 1e-9))
        self._most_frames = 1 + max_dropped if drop_probability > 0 else 1
        self._streams = StreamGenerators('TimingJitter')
        self._dropped_frames = DroppedFrames(drop_probability, max_dropped, self._streams)
        self._around_limit, time_limit = _time_limit(self)
        periods: int | None = time_limit._max_episode_steps if time_limit else None
        self._limit = None if periods is None else periods * self._parts
        self._elapsed = 0

    @property
    def dt_range(self) -> tuple[float, float]:
        """Shortest and longest time between two observations [s], including T, except at the end of an episode."""
        shortest, longest = min(self._least, self._parts), max(self._greatest * self._most_frames, self._parts)
        return self._seconds(shortest), self._seconds(longest)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the first observation is treated as one nominal period after the previous one."""
        self._streams.reset([seed])
        self._elapsed = 0
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, 'dt': self._period}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Hold the action until the next frame that is not lost, or until the episode ends."""
        start, total = self._elapsed, 0.0
        self._dropped_frames.restart()
        while True:
            observation, reward, terminated, truncated, info = self._one_period(action)
            total += reward
            if terminated or truncated or not self._dropped_frames.draw()[0]:
                break
        return observation, total, terminated, truncated, {**info, 'dt': self._seconds(self._elapsed - start)}

    def _one_period(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Run one period of random length; weight its reward by that length."""
        length = int(self._streams.integers(self._least, self._greatest)[0])
        if self._limit is not None:
            length = max(1, min(length, self._limit - self._elapsed))
        limited = self._around_limit.env
        try:
            if self._limit is not None:  # the time limit counts steps, not time: leave it out of the step
                self._around_limit.env = limited.env
            if self._physics is not None:
                self._physics.frame_skip = length
            observation, reward, terminated, truncated, info = self.env.step(action)
        finally:
            self._around_limit.env = limited
            if self._physics is not None:
                self._physics.frame_skip = self._parts
        self._elapsed += length
        truncated = truncated or (self._limit is not None and self._elapsed >= self._limit)
        return observation, float(reward) * length / self._parts, terminated, truncated, info

    def _seconds(self, parts: int) -> float:
        return self._period * (parts / self._parts)


def _check(period_range: tuple[float, float], drop_probability: float, max_dropped: int) -> None:
    shortest, longest = period_range
    if not SHORTEST <= shortest <= longest <= LONGEST:
        raise ConfigError(
            f'period_range is {period_range}; it must be two multiples of the nominal period, the shortest and the '
            f'longest, from {SHORTEST} to {LONGEST}.'
        )
    if not 0 <= drop_probability < 1:
        raise ConfigError(f'drop_probability is {drop_probability}; it must be at least 0 and below 1.')
    if isinstance(max_dropped, bool) or not isinstance(max_dropped, int) or max_dropped < 0:
        raise ConfigError(f'max_dropped is {max_dropped}; it must be a whole number of at least 0.')


def _physics(env: Env) -> Any:
    """Return the innermost environment, which runs the physics steps."""
    base: Any = env.unwrapped
    timestep = getattr(getattr(getattr(base, 'model', None), 'opt', None), 'timestep', None)
    if timestep is None or not isinstance(getattr(base, 'frame_skip', None), int | np.integer):
        raise UnsupportedEnvironmentError(
            f'{type(base).__name__} has no physics steps (model.opt.timestep, frame_skip), so its period cannot vary; '
            'use a MuJoCo environment, or do not vary the period: period_range=(1, 1).'
        )
    return base


def _divide(physics: Any) -> int:
    """Divide the physics time step so that the nominal period has at least ten steps; return their number."""
    divisor = math.ceil(1 / FINEST / physics.frame_skip - 1e-9)
    if divisor > 1:
        physics.model.opt.timestep /= divisor
        physics.frame_skip *= divisor
    return int(physics.frame_skip)


def _time_limit(env: Any) -> tuple[Any, TimeLimit[Any, Any] | None]:
    """Return the wrapper around the outermost time limit, and the limit; without a limit, env and None."""
    around = env
    while isinstance(around.env, gym.Wrapper):
        if isinstance(around.env, TimeLimit):
            return around, around.env
        around = around.env
    return env, None
