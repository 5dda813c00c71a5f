"""The policy specification of an environment: names, units, bounds and the control period."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym.actions import are_controls, are_passed_on, commanded_signals
from velora_ros.gym.checks import check_env
from velora_ros.gym.joint_names import Signal, joint_name, observed_signals
from velora_ros.spec import PolicySpec

Env = gym.Env[Any, Any]

ASSUMED_PERIOD_S = 1.0

__all__ = ['control_period_of', 'joint_name', 'observation_signals', 'spec_from_env']


def spec_from_env(env: Env, control_period: float | None = None) -> PolicySpec:
    """
    Describe what a policy for this environment reads and commands.

    Joint signals are named ``<joint>/<position|velocity|effort>``, whatever else ``obs_<i>`` or ``action_<i>``.
    A wrapper that changes the observations takes their names away, unless it is one of ours. An action has a joint's
    name if it is exactly what the actuator gets, which is tried on a copy of the environment.

    Args:
        env: the environment, wrapped or not; its state and random generators are left alone.
        control_period: the nominal period [s] where the environment does not say.

    Raises:
        UnsupportedEnvironmentError: its spaces are none that a policy can work with.
    """
    check_env(env)
    observations = observation_signals(env)
    actions = _action_signals(env)
    period, assumed = _period(env, control_period)
    low, high = np.asarray(env.action_space.low), np.asarray(env.action_space.high)  # type: ignore[attr-defined]
    return PolicySpec(
        observation_names=tuple(signal.name for signal in observations),
        observation_units=tuple(signal.unit for signal in observations),
        action_names=tuple(signal.name for signal in actions),
        action_units=tuple(signal.unit for signal in actions),
        action_scale=tuple(signal.scale for signal in actions),
        action_offset=tuple(signal.offset for signal in actions),
        action_low=tuple(map(float, low)),
        action_high=tuple(map(float, high)),
        control_period=period,
        control_period_assumed=assumed,
    )


def control_period_of(env: Env, default: float | None = None) -> float:
    """
    Return the nominal time between two observations [s]: the environment's, else the default, else 1 with a warning.

    Raises:
        UnsupportedEnvironmentError: the period is no positive, finite number.
    """
    return _period(env, default)[0]


def _period(env: Env, default: float | None) -> tuple[float, bool]:
    """Return the nominal period [s] and whether it is an assumption."""
    period = getattr(env.unwrapped, 'dt', default)
    if period is None:
        warnings.warn(
            'the environment has no control period (no attribute dt); 1 s is assumed. Pass control_period in seconds.',
            stacklevel=3,
        )
        return ASSUMED_PERIOD_S, True
    if not isinstance(period, int | float | np.number) or not math.isfinite(period) or period <= 0:
        raise UnsupportedEnvironmentError(
            f'the control period is {period!r}; it must be a positive, finite number of seconds. Correct the '
            'attribute dt of the environment, or pass control_period.'
        )
    return float(period), False


def observation_signals(env: Env) -> list[Signal]:
    """Return name and unit of each observation entry."""
    base: Any = env.unwrapped
    own = getattr(base, 'observation_signals', None)  # an environment may know its names
    signals = own() if own else _named(observed_signals(base, _size(base.observation_space)), 'obs')
    for wrapper in reversed(list(_wrappers(env))):
        if (rename := getattr(type(wrapper), 'rename', None)) is not None:
            signals = rename(wrapper, signals)
        elif _changes(wrapper, gym.ObservationWrapper, 'observation_space'):
            signals = _named([None] * _size(wrapper.observation_space), 'obs')
    return signals


def _action_signals(env: Env) -> list[Signal]:
    size = _size(env.action_space)
    base: Any = env.unwrapped
    own = getattr(base, 'action_signals', None)  # an environment may know what its actions are
    signals = list(own()) if own else commanded_signals(base, size)
    if len(signals) != size or not any(signals):
        return _named([None] * size, 'action')
    # Ours only says what the actuators are; a class derived from it may put something else into them.
    claims = own and not getattr(own, '__module__', '').startswith('velora_ros.')
    true = are_passed_on(env) if claims else are_controls(env)
    return _named([signal if kept else None for signal, kept in zip(signals, true, strict=True)], 'action')


def _changes(wrapper: Any, kind: type, space: str) -> bool:
    return isinstance(wrapper, kind) or getattr(wrapper, space) is not getattr(wrapper.env, space)


def _wrappers(env: Env) -> Iterator[Any]:
    """Yield the wrappers from the outermost to the innermost."""
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env


def _named(signals: list[Signal | None], prefix: str) -> list[Signal]:
    return [signal or Signal(f'{prefix}_{index}', '') for index, signal in enumerate(signals)]


def _size(space: gym.Space[Any]) -> int:
    return int(np.prod(space.shape or (0,)))
