"""Checks the user's limits of commands against the policy: times, slew rates, and the pose of the fallback."""

import math

from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec

# A slew rate that limits nothing. Infinity times an elapsed time of zero would be NaN.
_UNLIMITED = 1e300


def or_derived(value: float, derived: float) -> float:
    """Return a limit: a derived one for -1, none for 0, otherwise the value itself."""
    return derived if value == -1 else value or math.inf


def line_duration(rate: float, period: float, max_state_age: float) -> float:
    """
    Return how long a command takes to reach the next one [s]; 0 without interpolation.

    Raises:
        ConfigError: the rate is not above the policy's own, or a state may not be old enough.
    """
    if rate and rate * period <= 1:
        raise ConfigError(
            f"'command.interpolate' is {rate:g} Hz, but the policy commands at {1 / period:g} Hz by itself; give a "
            'higher rate, or 0 to switch it off.'
        )
    if rate and max_state_age < period:
        raise ConfigError(
            f"'max_state_age_s' is {max_state_age:g} s, but with 'command.interpolate' a state's command is reached "
            f'only after {period:g} s; give at least that.'
        )
    return period if rate else 0.0


def slew_rates(spec: PolicySpec, rates: tuple[float, ...]) -> list[float]:
    """
    Return the rate of each action; a rate of 0 becomes one that limits nothing.

    Raises:
        ConfigError: there is not one rate, nor one for each action.
    """
    if len(rates) not in (0, 1, spec.action_dim):
        raise ConfigError(
            f"'slew_rate' has {len(rates)} values, but the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for all, or one for each.'
        )
    each = rates if len(rates) == spec.action_dim else (rates or (0.0,)) * spec.action_dim
    return [float(rate) if rate > 0 else _UNLIMITED for rate in each]


def checked_pose(spec: PolicySpec, pose: tuple[float, ...], bounds: list[tuple[float, float]]) -> list[float]:
    """
    Return the pose of the fallback.

    Raises:
        ConfigError: it does not have one value for each action, or a value is out of bounds.
    """
    if len(pose) != spec.action_dim:
        raise ConfigError(
            f"'fallback_pose' has {len(pose)} values, but the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for each, or choose another fallback.'
        )
    for name, unit, value, (low, high) in zip(spec.action_names, spec.action_units, pose, bounds, strict=True):
        if not low <= value <= high:
            raise ConfigError(
                f"'fallback_pose' has {value:g} for '{name}'; it must be from {low:g} to {high:g} {unit}".rstrip() + '.'
            )
    return [float(value) for value in pose]
