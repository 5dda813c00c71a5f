"""Finds wrappers that normalise with their own running statistics, which a policy file cannot contain."""

import dis
import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from velora_ros.errors import UnsupportedEnvironmentError

Env = gym.Env[Any, Any]

OBSERVATION, REWARD = 'observation', 'reward'
EXEMPT = 'carries_statistics'
"""A wrapper class that sets this attribute to False keeps its statistics for a purpose other than normalisation."""

_BY_NAME = {
    'NormalizeObservation': (OBSERVATION,), 'NormalizeReward': (REWARD,), 'VecNormalize': (OBSERVATION, REWARD),
}  # fmt: skip
_MEANS, _SPREADS = ('mean', 'running_mean'), ('var', 'std', 'running_var', 'running_std', 'm2', 'M2', 's', 'S')
_COUNTS = ('count', 'n', 'num', 'steps', 'num_batches_tracked')
_UPDATES = ('update', 'push', 'add', 'update_from_moments', 'record')
_CHANGING_MEANS = (*_MEANS, 'avg', 'average', 'mu')
_CHANGING_SPREADS = ('var', 'std', 'running_var', 'running_std', 'variance', 'sigma', 'm2', 'M2')
_LOWEST = ('min', 'lo', 'low', 'lowest', 'minimum', 'obs_min')
_HIGHEST = ('max', 'hi', 'high', 'highest', 'maximum', 'obs_max')
_PAIRS = ((_CHANGING_MEANS, _CHANGING_SPREADS), (_LOWEST, _HIGHEST))
_DEEPEST = 2
_ADVICE = {
    OBSERVATION: (
        'statistics of the observations. The policy file cannot contain them, and a robot sends raw numbers. '
        'Remove it; the built-in normaliser (normalise=True, the default) stores its statistics in the file.'
    ),
    REWARD: (
        'statistics of the rewards, so the scale of the returns would drift and evaluations could not be compared. '
        'Remove it; reward_scale scales the rewards for learning, and returns stay in the units of the task.'
    ),
}


@dataclass(frozen=True)
class Statistics:
    """Running statistics that were found: the class of the wrapper, and whether they are of observations or rewards."""

    owner: str
    of: str


def running_statistics(env: Env) -> list[Statistics]:
    """
    Return the running statistics that an environment and its wrappers keep, the outermost first.

    Known wrappers are found by name, others by their contents: an object or a dictionary with a mean, a spread and a
    count, in an attribute, in a function that transforms observations or rewards, or in the wrapper itself. Wrappers
    that update a mean and a spread, or a minimum and a maximum, outside ``reset`` are found as well.

    Args:
        env: the environment, wrapped or not; environments inside it are searched as well.
    """
    found = [Statistics(type(layer).__name__, of) for layer in _layers(env) for of in _kept_by(layer)]
    return list(dict.fromkeys(found))


def check_statistics(env: Env) -> None:
    """
    Check that observations and rewards are not normalised by statistics that the policy file would not contain.

    Raises:
        UnsupportedEnvironmentError: a wrapper does; the message names the wrapper and what to use instead.
    """
    for one in running_statistics(env):
        raise UnsupportedEnvironmentError(f'the wrapper {one.owner} keeps running {_ADVICE[one.of]}')


def statistics_warning(env: Env) -> str:
    """Return a warning for a policy that runs in an environment that normalises observations; ``''`` otherwise."""
    owners = [one.owner for one in running_statistics(env) if one.of == OBSERVATION]
    if not owners:
        return ''
    return (
        f'the wrapper {owners[0]} keeps running statistics of the observations, which start from zero here, so the '
        'policy sees different numbers than in training. Train again without the wrapper.'
    )


def _layers(env: Any) -> Iterator[Any]:
    """Yield an environment's wrappers and the environment, then the environments inside it with their wrappers."""
    waiting, seen = [env], set()
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        waiting += [value for value in _attributes(layer).values() if isinstance(value, gym.Env)]


def _kept_by(layer: Any) -> Iterator[str]:
    if not getattr(type(layer), EXEMPT, True):
        return
    names = [kind.__name__ for kind in type(layer).__mro__]
    if known := next((_BY_NAME[name] for name in names if name in _BY_NAME), None):
        yield from known
        return
    is_wrapper = isinstance(layer, gym.Wrapper)
    of_rewards = isinstance(layer, gym.RewardWrapper)
    if is_wrapper and (_is_running(layer) or _follows_what_it_sees(layer)):
        yield REWARD if of_rewards else OBSERVATION
    for name, value in _attributes(layer).items():
        # An environment may keep statistics of its own, for example of successes; only a named normaliser counts there.
        if (is_wrapper or any(part in name.lower() for part in ('obs', 'norm', 'rms'))) and _holds(value, _DEEPEST):
            is_reward = of_rewards or (
                any(part in name.lower() for part in ('ret', 'rew')) and 'obs' not in name.lower()
            )
            yield REWARD if is_reward else OBSERVATION


def _follows_what_it_sees(layer: Any) -> bool:
    """Return whether a transformation updates a mean and a spread, or a minimum and a maximum."""
    if not isinstance(layer, gym.ObservationWrapper | gym.RewardWrapper):
        return False
    written: set[str] = set()
    begun_anew: set[str] = set()  # with each episode
    for kind in type(layer).__mro__:
        if kind.__module__.startswith('gymnasium.'):
            break
        for name, method in vars(kind).items():
            if isinstance(method, types.FunctionType) and name != '__init__':
                (begun_anew if name == 'reset' else written).update(_attributes_written_by(method))
    names = written - begun_anew
    return any(names & set(one) and names & set(other) for one, other in _PAIRS)


def _attributes_written_by(method: types.FunctionType) -> set[str]:
    return {str(one.argval).lstrip('_') for one in dis.get_instructions(method) if one.opname == 'STORE_ATTR'}


def _holds(value: Any, depth: int) -> bool:
    """Return whether a value is, or holds, running statistics."""
    if isinstance(value, gym.Env | type | types.ModuleType | str | bytes | int | float):
        return False
    if _is_running(value):
        return True
    return depth > 0 and any(_holds(part, depth - 1) for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    """Return the contents of a container, a function or an object."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_full(cell)]
        used = [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
        return [*cells, *used, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    return list(_attributes(value).values())


def _is_full(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a variable without a value
        return False


def _is_running(value: Any) -> bool:
    """Return whether an object has a mean, a spread, and a count or a method that updates them."""
    held = value if isinstance(value, dict) else _attributes(value)
    names = {name.lstrip('_') for name in held if isinstance(name, str)}
    if not (names & set(_MEANS) and names & set(_SPREADS)):
        return False
    updates = any(callable(getattr(type(value), name, None)) for name in _UPDATES)
    return bool(names & set(_COUNTS)) or updates


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object, including slots; properties are not evaluated."""
    try:
        own = dict(vars(value))
    except TypeError:
        own = {}
    for kind in type(value).__mro__:
        slots = kind.__dict__.get('__slots__', ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if isinstance(kind.__dict__.get(name), types.MemberDescriptorType) and hasattr(value, name):
                own[name] = getattr(value, name)
    return own
