"""Checks the user's limits against the policy: interpolation, slew rates, and the pose of the fallback."""

import math

from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec

# A slew rate that limits nothing. Infinity times an elapsed time of zero would be NaN.
_UNLIMITED = 1e300


def or_derived(value: float, derived: float) -> float:
    """Return a limit: ``derived`` if the value is -1, infinity if it is 0, otherwise the value itself."""
    return derived if value == -1 else value or math.inf


def line_duration(rate: float, period: float, max_state_age: float) -> float:
    """
    Return the time in which the sent command moves to a new command [s]; 0 without interpolation.

    Raises:
        ConfigError: ``rate`` [Hz] is not above the policy's rate, or ``max_state_age`` [s] is below its period.
    """
    if rate and rate * period <= 1:
        raise ConfigError(
            f"'command.interpolate' is {rate:g} Hz, but the policy itself commands at {1 / period:g} Hz; give a higher "
            'rate, or 0 to switch interpolation off.'
        )
    if rate and max_state_age < period:
        raise ConfigError(
            f"'max_state_age_s' is {max_state_age:g} s, but with 'command.interpolate' the command for a state is "
            f'reached only after {period:g} s; give at least {period:g} s.'
        )
    return period if rate else 0.0


def slew_rates(spec: PolicySpec, rates: tuple[float, ...]) -> list[float]:
    """
    Return the slew rate of each action; a rate of 0 becomes a rate that limits nothing.

    Raises:
        ConfigError: there is neither one rate for all actions nor one for each.
    """
    if len(rates) not in (0, 1, spec.action_dim):
        raise ConfigError(
            f"'slew_rate' has {len(rates)} values, but the number of actions is {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one value for all actions, or one for each.'
        )
    each = rates if len(rates) == spec.action_dim else (rates or (0.0,)) * spec.action_dim
    return [float(rate) if rate > 0 else _UNLIMITED for rate in each]


def checked_pose(spec: PolicySpec, pose: tuple[float, ...], bounds: list[tuple[float, float]]) -> list[float]:
    """
    Check the fallback pose, and return it.

    Raises:
        ConfigError: the pose does not have one value for each action, or a value is out of bounds.
    """
    if len(pose) != spec.action_dim:
        raise ConfigError(
            f"'fallback_pose' has {len(pose)} values, but the number of actions is {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one value for each action, or choose another fallback.'
        )
    for name, unit, value, (low, high) in zip(spec.action_names, spec.action_units, pose, bounds, strict=True):
        if not low <= value <= high:
            raise ConfigError(
                f"'fallback_pose' has {value:g} for '{name}'; it must be from {low:g} to {high:g} {unit}".rstrip() + '.'
            )
    return [float(value) for value in pose]
