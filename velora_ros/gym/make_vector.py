"""A vector of identical environments without autoreset: training resets each stream with its own seed."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import close
from velora_ros.utils.memory import LARGEST_SHARE, does_not_fit, free_memory, resident_memory

Env = gym.Env[Any, Any]

_FIRST_LOOK = 4  # number of environments; the first ones also load shared data


def make_many_of(env: Env) -> Callable[..., VectorEnv[Any, Any, Any]] | None:
    """
    Return the ``make_vec`` of an environment that can step many copies in one call, as tasks can; None for others.

    Wrappers that change an environment, such as disturbances, cannot wrap several at once.
    """
    while isinstance(env, (OrderEnforcing, PassiveEnvChecker, TimeLimit)):
        env = env.env
    made: Callable[..., VectorEnv[Any, Any, Any]] | None = getattr(env, 'make_vec', None)
    return None if isinstance(env, gym.Wrapper) else made


def make_vector(make: Callable[[], Env], n: int) -> SyncVectorEnv:
    """
    Make n environments that are stepped one after the other in this process.

    A MuJoCo step takes tens of microseconds, less than sending an action to another process; docs/training.md has the
    figures. For slow environments, pass your own ``AsyncVectorEnv``.

    Args:
        make: makes one environment.
        n: number of environments.

    Raises:
        UnsupportedEnvironmentError: the environments would need more memory than is available, or ``make`` raises it.
    """
    envs: list[Env] = []
    try:
        free, before, looked = free_memory(), 0.0, 0
        while len(envs) < n:
            envs.append(make())
            count = len(envs)
            if count & (count - 1) == 0 and count >= _FIRST_LOOK:  # at every doubling
                resident = resident_memory()
                each = (resident - before) / (count - looked) if looked else 0.0
                before, looked = resident, count
                _check_memory(n, each, free)
    except BaseException:
        for env in envs:
            close(env)
        raise
    waiting = iter(envs)
    return SyncVectorEnv([lambda: next(waiting)] * n, autoreset_mode=AutoresetMode.DISABLED)


def _check_memory(n: int, each: float, free: float) -> None:
    """Check that n environments of ``each`` bytes fit into ``free`` bytes of memory."""
    if why := does_not_fit(n * each, free):
        most = max(1, int(LARGEST_SHARE * free / each))
        raise UnsupportedEnvironmentError(f'{n} environments need {why}; use at most {most}.')
