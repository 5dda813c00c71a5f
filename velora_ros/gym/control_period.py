"""The control period of an environment, from the attributes that state it."""

import contextlib
import math
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import described

Env = gym.Env[Any, Any]

ASSUMED_PERIOD_S = 1.0
_ALIKE = 0.01  # a simulator's dt and the frame rate mean the same period if they differ by less than this
_WARNED = '_velora_period_warned'


def find_period(env: Env, default: float | None = None) -> tuple[float, bool]:
    """
    Return the nominal time between two observations [s] and whether it is an assumption.

    The first of these that exists is used: the attribute ``dt`` of the environment or of a wrapper; its
    ``control_timestep()``; the time step of its MuJoCo model times ``frame_skip``; the default; the period of an
    environment inside; ``metadata['render_fps']``. Otherwise the period is assumed: the ``dt`` of a simulator inside,
    which may be a physics step (unless ``render_fps`` agrees with it), or 1 s.

    Args:
        env: the environment, wrapped or not.
        default: the period for environments that do not state theirs [s].

    Raises:
        UnsupportedEnvironmentError: the period is not a positive, finite number.
    """
    own = _own_period(env)
    if own is None:
        own = default
    if own is not None:
        return _checked(own), False
    base = env.unwrapped
    inside = list(_periods_inside(base))
    trusted = {period for period, is_trusted in inside if is_trusted}
    if len(trusted) == 1:
        return trusted.pop(), False
    fps = _number((getattr(base, 'metadata', None) or {}).get('render_fps'))
    if fps is not None:
        return 1 / fps, False
    others = {period for period, _ in inside}
    period = others.pop() if len(others) == 1 else ASSUMED_PERIOD_S
    _warn_once(base, period)
    return period, True


def control_period_of(env: Env, default: float | None = None) -> float:
    """
    Return the nominal time between two observations [s], and warn if it is assumed; see :func:`find_period`.

    Raises:
        UnsupportedEnvironmentError: the period is not a positive, finite number.
    """
    return find_period(env, default)[0]


def _own_period(env: Any) -> Any:
    """Return the stated period, multiplied by the steps that ``MaxAndSkipObservation`` skips; None if there is none."""
    skipped = 1
    while isinstance(env, gym.Wrapper):
        if (period := _stated_dt(env)) is not None:
            return period if skipped == 1 else _checked(period) * skipped
        if isinstance(env, gym.wrappers.MaxAndSkipObservation):
            skipped *= env._skip
        env = env.env
    period = _stated_dt(env)
    if period is None:
        period = _timestep(env)
    if period is None:
        period = _physics_period(env)
    return period if period is None or skipped == 1 else _checked(period) * skipped


def _stated_dt(env: Any) -> Any:
    """Return the attribute ``dt``; None if there is none."""
    try:
        return getattr(env, 'dt', None)
    except Exception as error:  # a property of an environment may raise anything
        raise UnsupportedEnvironmentError(
            f'the control period cannot be read: the attribute dt of {type(env).__name__} failed with '
            f'{described(error)}. Correct it, or remove it and pass control_period.'
        ) from error


def _timestep(env: Any) -> float | None:
    """Return the result of ``control_timestep()``, dm_control's method for the period [s]; None if there is none."""
    with contextlib.suppress(Exception):  # the environment's own code; a failure means that it has no such method
        return _number(env.control_timestep())
    return None


def _physics_period(env: Any) -> float | None:
    """Return the time step of a MuJoCo model times the steps of a period [s]; None without such a model."""
    with contextlib.suppress(AttributeError, TypeError):
        return _number(env.model.opt.timestep * int(env.frame_skip))
    return None


def _periods_inside(base: Any) -> Iterator[tuple[float, bool]]:
    """Yield the periods of objects inside an environment [s], and whether each is the period of a whole step."""
    fps = _number((getattr(base, 'metadata', None) or {}).get('render_fps'))
    for value in list(getattr(base, '__dict__', {}).values()):
        if isinstance(value, gym.Env):
            with contextlib.suppress(UnsupportedEnvironmentError):
                if (period := _number(_own_period(value))) is not None:
                    yield period, True
        elif (period := _timestep(value)) is not None:
            yield period, True
        elif (period := _number(_attribute(value, 'dt'))) is not None:
            agrees = fps is not None and abs(period * fps - 1) <= _ALIKE
            yield period, agrees or all(callable(_attribute(value, name)) for name in ('step', 'reset'))


def _attribute(value: Any, name: str) -> Any:
    with contextlib.suppress(Exception):  # a property of an environment may raise anything
        return getattr(value, name, None)
    return None


def _number(value: Any) -> float | None:
    """Return a positive, finite number as a float; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def _checked(period: Any) -> float:
    number = _number(period)
    if callable(period):
        raise UnsupportedEnvironmentError(
            "the environment's dt is a method; make it a property or a number of seconds, or remove it and pass "
            'control_period.'
        )
    if number is None:
        raise UnsupportedEnvironmentError(
            f'the control period is {period!r}; it must be a positive, finite number of seconds. Correct the '
            'attribute dt of the environment, or pass control_period.'
        )
    return number


def _warn_once(base: Any, period: float) -> None:
    """Warn of an assumed period, once for each environment."""
    if _attribute(base, _WARNED):
        return
    with contextlib.suppress(AttributeError):
        setattr(base, _WARNED, True)
    warnings.warn(
        f'the environment has no control period (no attribute dt); {period:g} s is assumed, and the policy file '
        'says so. Pass control_period in seconds.',
        stacklevel=4,
    )
