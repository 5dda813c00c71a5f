"""One function that makes an environment as hard as a robot: time, delay, noise and what the policy does not see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from velora_ros.errors import ConfigError
from velora_ros.gym.disturbances.observation_noise import ActionDelay, ObservationNoise, signal_deviation
from velora_ros.gym.disturbances.partial_observation import PartialObservation
from velora_ros.gym.disturbances.timing_jitter import FINEST, LONGEST, TimingJitter

Env = gym.Env[Any, Any]


@dataclass(frozen=True)
class Disturbances:
    """
    What makes an environment harder; the defaults change nothing.

    Args:
        period_jitter: periods last (1 - jitter) to (1 + jitter) T, drawn evenly; at least 0.1 T.
        dropped_frames: chance that a frame is lost; the action is then held for another period.
        max_dropped: most frames lost in a row.
        action_delay: least and greatest delay of the actions in control periods, drawn anew in each episode.
        observation_noise: deviation of the noise, in standard deviations of each signal under a random policy.
        positions_only: whether the policy sees the joints' positions alone.
        privileged: whether the critic sees in training what delay, noise and missing signals hide from the policy.

    Raises:
        ConfigError: a value is out of range.
    """

    period_jitter: float = 0.0
    dropped_frames: float = 0.0
    max_dropped: int = 3
    action_delay: Sequence[int] = (0, 0)
    observation_noise: float = 0.0
    positions_only: bool = False
    privileged: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.period_jitter <= LONGEST - 1:
            raise ConfigError(f'period_jitter is {self.period_jitter}; it must be from 0 to {LONGEST - 1:g}.')
        if len(self.action_delay) != 2:
            raise ConfigError(
                f'action_delay is {list(self.action_delay)}; it must be two whole numbers of periods, the least delay '
                'and the greatest.'
            )


def disturb(env: Env, settings: Disturbances) -> Env:
    """
    Stack the wrappers that the settings ask for; none where they ask for nothing.

    From the inside out: :class:`ActionDelay`, so that an action that is held over a dropped frame still arrives a whole
    period late; :class:`TimingJitter`, which adds up rewards and times; :class:`ObservationNoise`;
    :class:`PartialObservation`. The critic's ``info['privileged_state']`` is the innermost wrapper's, which knows most.

    Args:
        env: the environment; it is reset, where noise is asked for, to find its signals' deviations
            (:func:`signal_deviation`, 1,000 steps of a random policy, seed 0).
        settings: what to add.

    Raises:
        ConfigError: a value is out of range.
        UnsupportedEnvironmentError: periods are to vary and the environment has no physics steps.
    """
    deviation = settings.observation_noise * signal_deviation(env) if settings.observation_noise else None
    least, greatest = settings.action_delay
    if least or greatest:
        env = ActionDelay(env, (least, greatest), privileged=settings.privileged)
    if settings.period_jitter or settings.dropped_frames:
        jitter = settings.period_jitter
        env = TimingJitter(
            env,
            period_range=(max(FINEST, 1 - jitter), 1 + jitter),
            drop_probability=settings.dropped_frames,
            max_dropped=settings.max_dropped,
        )
    if deviation is not None:
        env = ObservationNoise(env, deviation, privileged=settings.privileged)
    if settings.positions_only:
        env = PartialObservation(env, privileged=settings.privileged)
    return env
