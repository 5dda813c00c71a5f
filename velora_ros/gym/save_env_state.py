"""
The exact state of gymnasium's own MuJoCo environments, so that a run can resume in the middle of an episode.

The state consists of the physics (``mj_getState`` with ``mjSTATE_INTEGRATION``, and what the last step computed from
it, which some rewards read), the random generator and the counter of the time limit. Other wrappers and environments
may have any internal state, so they cannot be saved.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

Env = gym.Env[Any, Any]
Arrays = dict[str, npt.NDArray[Any]]

_MODULE = 'gymnasium.envs.mujoco.'
_WRAPPERS = (TimeLimit, OrderEnforcing, PassiveEnvChecker)
_DATA = 'data.'
_WORD = 2**64


def can_be_saved(env: Env) -> bool:
    """Return whether :func:`state_of` returns the whole state of an environment."""
    return (
        all(type(one) in _WRAPPERS for one in _layers(env))
        and type(env.unwrapped).__module__.startswith(_MODULE)
        and isinstance(env.unwrapped.np_random.bit_generator, np.random.PCG64)
    )


def state_of(env: Env) -> Arrays:
    """Return the state of an environment that can be saved, as arrays by name."""
    import mujoco  # noqa: PLC0415 - only where an environment has loaded it

    base: Any = env.unwrapped
    model, data = base.model, base.data
    signature = mujoco.mjtState.mjSTATE_INTEGRATION
    physics = np.empty(mujoco.mj_stateSize(model, signature))
    mujoco.mj_getState(model, data, physics, signature)
    limits = [one._elapsed_steps or 0 for one in _layers(env) if isinstance(one, TimeLimit)]
    return {
        'physics': physics,
        'random': _words(base.np_random.bit_generator.state),
        'elapsed': np.array(limits, np.int64),
        **{_DATA + name: np.array(getattr(data, name)) for name in _computed(model)},
    }


def restore(env: Env, state: Mapping[str, npt.NDArray[Any]]) -> None:
    """Continue exactly where :func:`state_of` was called; the environment has been reset at least once."""
    import mujoco  # noqa: PLC0415

    base: Any = env.unwrapped
    mujoco.mj_setState(base.model, base.data, state['physics'], mujoco.mjtState.mjSTATE_INTEGRATION)
    for name, values in state.items():
        if name.startswith(_DATA):
            getattr(base.data, name.removeprefix(_DATA))[...] = values
    base.np_random.bit_generator.state = _generator_state(state['random'])
    limits = [one for one in _layers(env) if isinstance(one, TimeLimit)]
    for limit, elapsed in zip(limits, state['elapsed'].tolist(), strict=True):
        limit._elapsed_steps = elapsed


def _layers(env: Any) -> Iterator[Any]:
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env


def _computed(model: Any) -> list[str]:
    """Return the names of the arrays that a simulation always has; arrays of contacts exist only at times."""
    import mujoco  # noqa: PLC0415

    fresh = mujoco.MjData(model)
    values = {name: getattr(fresh, name) for name in dir(fresh) if not name.startswith('_')}
    return [name for name, value in values.items() if isinstance(value, np.ndarray) and value.size]


def _words(state: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """Return the state of a PCG64 generator as 64-bit numbers."""
    numbers = [state['state']['state'], state['state']['inc']]
    halves = [half for number in numbers for half in divmod(number, _WORD)]
    return np.array([*halves, state['has_uint32'], state['uinteger']], np.uint64).view(np.int64)


def _generator_state(words: npt.NDArray[np.int64]) -> dict[str, Any]:
    high, low, increment_high, increment_low, has_half, half = words.view(np.uint64).tolist()
    numbers = {'state': high * _WORD + low, 'inc': increment_high * _WORD + increment_low}
    return {'bit_generator': 'PCG64', 'state': numbers, 'has_uint32': has_half, 'uinteger': half}
