"""The gymnasium twin of sim_node's faults: the same settings, the same code, around an environment."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from velora_ros.gym.checks import check_env
from velora_ros.gym.disturbances.observation_noise import ActionDelay, signal_deviation
from velora_ros.gym.disturbances.stack import DelayLine, Faults, FaultSettings
from velora_ros.gym.disturbances.timing_jitter import FINEST, TimingJitter
from velora_ros.gym.env_to_spec import control_period_of, observation_signals
from velora_ros.gym.observation_names import Signal

Env = gym.Env[Any, Any]

# A step of the wrapper ends with the episode or a frame that arrives; so many in a row are never lost in practice.
MOST_DROPPED = 100


def add_faults(env: Env, settings: FaultSettings) -> Env:
    """
    Put the faults that sim_node's ``faults.*`` parameters name around an environment.

    A command is late by whole control periods here, the nearest number of them; behind a lost state the action is held.

    Args:
        env: the environment; it is reset, where noise is asked for, to find its signals' deviations.
        settings: what shall go wrong.

    Raises:
        ConfigError: a value is out of range or names nothing that is observed.
        UnsupportedEnvironmentError: periods are to vary and the environment has no physics steps.
    """
    check_env(env)
    period = control_period_of(env)
    deviation = signal_deviation(env) if any(settings.noise) else np.zeros(env.observation_space.shape or ())
    if late := round(settings.command_delay_s / period):
        env = ActionDelay(env, late)
    if settings.jitter_s or settings.drop_probability:
        jitter = min(settings.jitter_s / period, 1 - FINEST)  # more could not be shorter as often as longer
        env = TimingJitter(
            env,
            period_range=(1 - jitter, 1 + jitter),
            drop_probability=settings.drop_probability,
            max_dropped=MOST_DROPPED,
        )
    return SensorFaults(env, settings, deviation.tolist())


class SensorFaults(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Noise, delay, stuck and NaN readings, and a publisher that repeats its last message.

    Until the first delayed observation has arrived, the one of the reset is seen. What sticks, sticks at the value that
    is read first.

    Args:
        env: the environment; its observations are vectors.
        settings: what shall go wrong; losses, jitter and the delay of commands are left to :func:`add_faults`.
        deviation: the unit of noise for each observation.

    Raises:
        ConfigError: the settings name nothing that is observed.
    """

    def __init__(self, env: Env, settings: FaultSettings, deviation: list[float]) -> None:
        RecordConstructorArgs.__init__(self, settings=settings, deviation=deviation)
        gym.Wrapper.__init__(self, env)
        space = env.observation_space
        assert isinstance(space, spaces.Box)
        names = [signal.name for signal in observation_signals(env)]
        self._faults = Faults(names, np.asarray(deviation), space.low, space.high, seed=0)
        self._faults.settings = settings
        self._dtype, self._period = space.dtype, control_period_of(env)
        self._on_the_way: DelayLine[Any] = DelayLine()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset; see the class."""
        self._faults.restart(seed)
        observation, info = self.env.reset(seed=seed, options=options)
        self._time = 0.0
        self._on_the_way.clear()
        self._seen = self._read(observation)
        return self._seen, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; see the class."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._time += info.get('dt', self._period)
        self._on_the_way.put(self._read(observation), self._time + self._faults.settings.observation_delay_s)
        arrived = self._on_the_way.take(self._time + 1e-9)
        if arrived and not self._faults.settings.frozen:
            self._seen = arrived[-1]
        return self._seen, reward, terminated, truncated, info

    def rename(self, signals: list[Signal]) -> list[Signal]:
        """Return the names as they are: a stuck angle is still that angle."""
        return signals

    def _read(self, observation: Any) -> Any:
        return self._faults.read(observation).astype(self._dtype)
