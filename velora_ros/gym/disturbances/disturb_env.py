"""Disturb an environment: wrap it in the disturbances given by the settings."""

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from velora_ros.contract.joint_signals import Signal
from velora_ros.gym.check_spaces import check_env
from velora_ros.gym.control_period import control_period_of
from velora_ros.gym.disturbances.action_delay import ActionDelay
from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.disturbances.disturbance_settings import NOMINAL, SHORTEST, Disturbances, FaultSettings, numbers
from velora_ros.gym.disturbances.observation_noise import ObservationNoise
from velora_ros.gym.disturbances.partial_observation import PartialObservation
from velora_ros.gym.disturbances.signal_deviation import signal_deviation
from velora_ros.gym.disturbances.timing_jitter import TimingJitter
from velora_ros.gym.env_to_spec import observation_signals

Env = gym.Env[Any, Any]

# A step of the wrapper ends when the episode ends or a frame arrives; this many are practically never lost in a row.
MOST_DROPPED = 100


def disturb(env: Env, settings: Disturbances) -> Env:
    """
    Add the wrappers that the settings require, if any.

    From the inside out: :class:`ActionDelay`, so that an action that is held during a dropped frame still takes effect
    a whole period late; :class:`TimingJitter`, which sums rewards and times; :class:`ObservationNoise`;
    :class:`SensorFaults`; :class:`PartialObservation`. The critic's ``info['privileged_state']`` comes from the
    innermost wrapper, which has the most information.

    Args:
        env: the environment. If there is noise or bias, it is reset to find the standard deviations of its observations
            (:func:`signal_deviation`, 1,000 steps of a random policy, seed 0).
        settings: the disturbances; an action delay is rounded to whole control periods.

    Raises:
        ConfigError: a value is out of range, or names something that is not observed.
        UnsupportedEnvironmentError: the period varies and the environment has no physics steps.
    """
    deviation = signal_deviation(env) if settings.needs_deviation else None
    least, greatest = (round(periods) for periods in settings.action_delay)
    if greatest:
        env = ActionDelay(env, (least, greatest), privileged=settings.privileged)
    if settings.period_jitter or settings.dropped_frames:
        jitter = settings.period_jitter
        env = TimingJitter(
            env,
            period_range=(max(SHORTEST, NOMINAL - jitter), NOMINAL + jitter),
            drop_probability=settings.dropped_frames,
            max_dropped=MOST_DROPPED if settings.max_dropped is None else settings.max_dropped,
        )
    if deviation is not None and any(noise := numbers(settings.observation_noise)):
        settings.check_lengths([signal.name for signal in observation_signals(env)])
        env = ObservationNoise(env, np.multiply(noise, deviation), privileged=settings.privileged)
    if settings.changes_readings:
        env = SensorFaults(env, settings, None if deviation is None else deviation.tolist())
    if settings.positions_only:
        env = PartialObservation(env, privileged=settings.privileged)
    return env


def add_faults(env: Env, settings: FaultSettings) -> Env:
    """
    Disturb an environment with the settings of sim_node's ``faults.*`` parameters; see :func:`disturb`.

    A command is delayed by the nearest whole number of control periods. During a lost state the action is held.

    Args:
        env: the environment.
        settings: the disturbances.

    Raises:
        ConfigError: a value is out of range, or names something that is not observed.
        UnsupportedEnvironmentError: the period varies and the environment has no physics steps.
    """
    check_env(env)
    return disturb(env, settings.disturbances(control_period_of(env)))


class SensorFaults(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Bias, delay, stuck and NaN observations, and a publisher that repeats its newest observation.

    Until the first delayed observation has arrived, the observation at reset is seen. A stuck sensor keeps its first
    reading.

    Args:
        env: the environment; its observations are vectors.
        settings: the disturbances; this wrapper ignores the disturbances that other wrappers apply.
        deviation: the standard deviation of each observation, the unit of the bias; None if there is no bias.

    Raises:
        ConfigError: the settings name something that is not observed.
    """

    def __init__(self, env: Env, settings: Disturbances, deviation: list[float] | None = None) -> None:
        RecordConstructorArgs.__init__(self, settings=settings, deviation=deviation)
        gym.Wrapper.__init__(self, env)
        space = env.observation_space
        assert isinstance(space, spaces.Box)
        names = [signal.name for signal in observation_signals(env)]
        self._stack = DisturbanceStack(names, space.low, space.high, seeds=[None])
        self._stack.settings = dataclasses.replace(settings, observation_noise=0.0)
        self._stack.deviation = None if deviation is None else np.asarray(deviation)
        self._dtype, self._period = space.dtype, control_period_of(env)
        self._privileged = settings.privileged

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and the sensors."""
        observation, info = self.env.reset(seed=seed, options=options)
        seen = self._stack.reset(observation[None], [seed])[0].astype(self._dtype)
        return seen, self._info(info, observation)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and read the sensors."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        elapsed = np.array([info.get('dt', self._period) / self._period])
        seen = self._stack.observe(observation[None], elapsed)[0].astype(self._dtype)
        return seen, reward, terminated, truncated, self._info(info, observation)

    def rename(self, signals: list[Signal]) -> list[Signal]:
        """Return the names unchanged: a stuck angle is still that angle."""
        return signals

    def _info(self, info: dict[str, Any], clean: Any) -> dict[str, Any]:
        return {'privileged_state': clean, **info} if self._privileged else info
