"""Checks of an environment: spaces that a policy can work with, and a reward."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from velora_ros.errors import UnsupportedEnvironmentError

FLATTEN = 'Flatten it with velora_ros.gym.flat(env), which keeps the names, or gymnasium.wrappers.FlattenObservation.'
ADVICE = {
    spaces.Dict: FLATTEN,
    spaces.Tuple: FLATTEN,
    spaces.Discrete: 'Discrete problems need another kind of agent.',
    spaces.MultiDiscrete: 'Discrete problems need another kind of agent.',
    spaces.MultiBinary: 'Discrete problems need another kind of agent.',
}


def check_env(env: Any) -> None:
    """
    Check that observations and actions are vectors of numbers and that actions have finite bounds.

    Raises:
        UnsupportedEnvironmentError: a space is not suitable; the message says what is valid and what to do.
    """
    if isinstance(env, gym.vector.VectorEnv):
        raise UnsupportedEnvironmentError(
            f'{type(env).__name__} is a vector environment; a policy is trained in one environment. '
            "Make the environment with gymnasium.make('ID')."
        )
    if not isinstance(env, gym.Env):
        raise UnsupportedEnvironmentError(
            f'{type(env).__name__} is not a gymnasium.Env; pass an environment such as '
            "gymnasium.make('InvertedPendulum-v5')."
        )
    _check_box('observation', env.observation_space)
    _check_box('action', env.action_space)
    _check_bounds(env.action_space)


def check_reward(env: 'gym.Env[Any, Any]') -> None:
    """
    Check that an environment has a reward to learn from.

    Raises:
        UnsupportedEnvironmentError: the environment is a robot file without a reward function.
    """
    if not getattr(env.unwrapped, 'has_reward', True):
        raise UnsupportedEnvironmentError(
            'a robot file has no reward, so there is nothing to learn; pass reward=FUNCTION to velora_ros.gym.make, or '
            'write an environment with a reward and name it module:id (docs/simulator.md shows both).'
        )


def wrappers_of(env: 'gym.Env[Any, Any]') -> Iterator['gym.Wrapper[Any, Any, Any, Any]']:
    """Yield the wrappers around an environment, the outermost first."""
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env


def bounding(space: spaces.Box) -> str:
    """
    Return a line of code that gives an environment finite action bounds, within its own finite bounds.

    Args:
        space: the action space, some of whose bounds are not finite.
    """
    low, high = np.asarray(space.low, dtype=np.float64), np.asarray(space.high, dtype=np.float64)
    above = np.where(np.isfinite(low), low, np.where(np.isfinite(high), np.minimum(-1.0, high - 1), -1.0))
    below = np.where(np.isfinite(high) & (high > above), high, np.maximum(1.0, above + 1))
    below = np.where(np.isfinite(low) & ~np.isfinite(high), above + 1, below)
    dtype = '' if space.dtype == np.float32 else f", dtype='{space.dtype}'"
    if (above == above[0]).all() and (below == below[0]).all():
        box = f'{above[0]}, {below[0]}, {space.shape}{dtype}'
    else:
        kind = space.dtype
        box = f"numpy.array({above.tolist()}, '{kind}'), numpy.array({below.tolist()}, '{kind}'){dtype}"
    return (
        'env = gymnasium.wrappers.TransformAction(env, lambda action: action, '
        f'gymnasium.spaces.Box({box})), with suitable bounds'
    )


def _check_box(role: str, space: Any) -> None:
    if not isinstance(space, spaces.Box):
        raise UnsupportedEnvironmentError(
            f'the {role} space is {space}; it must be a Box of shape (n,). {_advice(role, space)}'.strip()
        )
    if len(space.shape) == 1 and space.shape[0] > 0:
        return
    is_image = len(space.shape) in (2, 3) and space.dtype == np.uint8
    advice = (
        'Images need another kind of agent.'
        if is_image
        else f'Flatten it with gymnasium.wrappers.Flatten{role.title()}.'
    )
    if role == 'action' or 0 in space.shape:
        advice = 'Reshape it in the environment.'
    kind = ', an image' if is_image else ' and is not a vector'
    raise UnsupportedEnvironmentError(
        f'the {role} space has the shape {space.shape}{kind}; its shape must be (n,) with n at least 1. {advice}'
    )


def _advice(role: str, space: Any) -> str:
    if role == 'action' and isinstance(space, spaces.Dict | spaces.Tuple):
        return 'Make it one Box in the environment, or with a gymnasium.ActionWrapper that splits a vector.'
    return ADVICE.get(type(space), '')


def _check_bounds(space: Any) -> None:
    low, high = np.asarray(space.low, dtype=np.float64), np.asarray(space.high, dtype=np.float64)
    if not np.issubdtype(space.dtype, np.floating):
        raise UnsupportedEnvironmentError(
            f'the action space holds {space.dtype}; it must hold floating-point numbers, for example '
            'Box(-1, 1, (n,), float32).'
        )
    bad = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high) & (low < high)))
    if bad.size:
        index = int(bad[0])
        raise UnsupportedEnvironmentError(
            f'action {index} has the bounds [{low[index]}, {high[index]}]; both must be finite, and the low bound '
            f'must be below the high one. Bound the action in the environment itself, or wrap it: {bounding(space)}.'
        )
