"""
The settings of all disturbances and faults: one class for training, for evaluation and for the simulator.

Each field has its unit, its valid range and a one-sentence explanation in its metadata (``unit``, ``low``,
``high``, ``help``). :class:`FaultSettings` gives the same settings in seconds, as sim_node's parameters do.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from velora_ros.errors import ConfigError

NOMINAL, SHORTEST, LONGEST = 1.0, 0.1, 2.0
"""Lengths of a control period, in nominal periods; a drawn period lies between SHORTEST and LONGEST."""
DEVIATIONS = 'standard deviations of the signal under random actions'


def _setting(default: Any, help: str, unit: str = '', low: float = 0, high: float = math.inf) -> Any:  # noqa: A002
    return field(default=default, metadata={'help': help, 'unit': unit, 'low': low, 'high': high})


@dataclass(frozen=True)
class _Settings:
    """Base of both settings classes: sequences become tuples, numbers are checked, only set values are printed."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                value = tuple(value)
                object.__setattr__(self, item.name, value)  # so that equal settings are equal
            entries = value if isinstance(value, tuple) else (value,)
            if any(_is_outside(entry, item.metadata) for entry in entries):
                raise ConfigError(f'{item.name} is {_readable(value)}; it must be {_valid(item.metadata)}.')

    def __str__(self) -> str:
        """Return the settings that are not at their default; ``none`` if all are."""
        changed = [item for item in dataclasses.fields(self) if getattr(self, item.name) != item.default]
        return ', '.join(f'{item.name} {_readable(getattr(self, item.name))}' for item in changed) or 'none'


@dataclass(frozen=True)
class Disturbances(_Settings):
    """
    Disturbances of an environment, or between a robot and its policy; the defaults change nothing.

    Noise and bias are in standard deviations of each observation under random actions
    (:func:`velora_ros.gym.signal_deviation`): one number for all observations, or one for each.

    Raises:
        ConfigError: a value is out of range.
    """

    period_jitter: float = _setting(
        0.0, 'control periods last 1 - x to 1 + x times the nominal one', 'periods', high=LONGEST - NOMINAL
    )
    dropped_frames: float = _setting(0.0, 'probability that a frame is lost and the action held', high=1.0)
    max_dropped: int | None = _setting(3, 'largest number of frames lost in a row', 'frames')  # None: no limit
    action_delay: Sequence[float] = _setting(
        (0, 0), 'shortest and longest delay of the actions, drawn in each episode', 'periods'
    )
    observation_delay: Sequence[float] = _setting(
        (0, 0), 'shortest and longest delay of the observations, drawn in each episode', 'periods'
    )
    observation_noise: float | Sequence[float] = _setting(0.0, 'noise on each signal', DEVIATIONS)
    observation_bias: float | Sequence[float] = _setting(
        0.0, 'standard deviation of a constant offset of each signal, drawn in each episode', DEVIATIONS
    )
    stuck: Sequence[str] = _setting((), 'observations, or joints with all their observations, that keep their value')
    nan: Sequence[str] = _setting((), 'observations, or joints with all their observations, that read NaN')
    nan_probability: float = _setting(1.0, 'probability of NaN in each observation', high=1.0)
    frozen: bool = _setting(False, 'whether the newest observation is repeated forever')
    positions_only: bool = _setting(False, 'whether the policy sees only the positions of the joints')
    privileged: bool = _setting(
        True, 'whether the critic sees the information that the disturbances hide from the policy'
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ('action_delay', 'observation_delay'):
            delay: Any = getattr(self, name)
            if len(delay) != 2 or delay[0] > delay[1]:
                raise ConfigError(
                    f'{name} is {list(delay)}; it must be two numbers, in control periods: the smallest and the '
                    'largest delay.'
                )
            if delay[0] != delay[1] and any(periods != int(periods) for periods in delay):
                raise ConfigError(
                    f'{name} is {list(delay)}; if the smallest and the largest delay differ, both must be whole '
                    'numbers of control periods.'
                )

    def check_lengths(self, names: Sequence[str]) -> None:
        """
        Check that noise and bias have one value, or one for each observation.

        Args:
            names: the observations' names.

        Raises:
            ConfigError: either has a different number of values.
        """
        for what, value in (('noise', self.observation_noise), ('bias', self.observation_bias)):
            if len(values := numbers(value)) not in (0, 1, len(names)):
                raise ConfigError(
                    f'the {what} has {len(values)} values; it must have one, or one for each of {", ".join(names)}.'
                )

    @property
    def needs_deviation(self) -> bool:
        """Whether the standard deviation of each observation must be known."""
        return any(numbers(self.observation_noise)) or any(numbers(self.observation_bias))

    @property
    def changes_readings(self) -> bool:
        """Whether something other than noise changes or delays what is observed."""
        return bool(any(numbers(self.observation_bias)) or self.stuck or self.nan or self.frozen) or any(
            self.observation_delay
        )


@dataclass(frozen=True)
class FaultSettings(_Settings):
    """
    The disturbances that sim_node's ``faults.*`` parameters set: times are in seconds, and delays are constant.

    Raises:
        ConfigError: a value is out of range.
    """

    noise: Sequence[float] = _setting(
        (),
        'Standard deviation of Gaussian noise, as a share of the standard deviation of each signal under random '
        'commands. One number for all observations, or one for each.',
        high=100,
    )
    observation_delay_s: float = _setting(
        0.0, 'Delay of the states. Their stamps keep the time of the measurement.', 's', high=10
    )
    command_delay_s: float = _setting(0.0, 'Delay of the commands.', 's', high=10)
    drop_probability: float = _setting(
        0.0, 'Probability that a state is not published, independently for each state.', high=1
    )
    jitter_s: float = _setting(
        0.0,
        'Each control period is up to this much longer or shorter, uniformly distributed, in whole physics steps, '
        'rounded up.',
        's',
        high=10,
    )
    stuck: Sequence[str] = _setting(
        (), 'Names of observations, or of joints with all of their observations, that keep their current value.'
    )
    nan: Sequence[str] = _setting(
        (), 'Names of observations, or of joints with all of their observations, that read NaN.'
    )
    nan_probability: float = _setting(1.0, 'Probability of faults.nan in each state.', high=1)
    frozen: bool = _setting(False, 'Publish the last state repeatedly, with its old stamp, like a driver that hangs.')

    def disturbances(self, control_period: float) -> Disturbances:
        """
        Return the same settings in control periods.

        Args:
            control_period: T [s].
        """
        observation_delay = self.observation_delay_s / control_period
        action_delay = self.command_delay_s / control_period
        return Disturbances(
            period_jitter=min(self.jitter_s / control_period, LONGEST - NOMINAL),
            dropped_frames=self.drop_probability,
            max_dropped=None,
            observation_delay=(observation_delay, observation_delay),
            action_delay=(action_delay, action_delay),
            observation_noise=self.noise,
            stuck=self.stuck,
            nan=self.nan,
            nan_probability=self.nan_probability,
            frozen=self.frozen,
            privileged=False,
        )


def numbers(values: float | Sequence[float]) -> Sequence[float]:
    """Return one number, or several, as a sequence."""
    return values if isinstance(values, Sequence) else (values,)


def _is_outside(value: Any, limits: Any) -> bool:
    return isinstance(value, int | float) and not (limits['low'] <= value <= limits['high'] and math.isfinite(value))


def _valid(limits: Any) -> str:
    unit = f' {limits["unit"]}' if limits['unit'] else ''
    if math.isinf(limits['high']):
        return f'finite and at least {limits["low"]:g}{unit}'
    return f'from {limits["low"]:g} to {limits["high"]:g}{unit}'


def _readable(value: object) -> str:
    return ' '.join(map(str, value)) if isinstance(value, tuple) else str(value)
