"""A vector of environments that are alike, without autoreset: training resets each stream with a seed of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import close

Env = gym.Env[Any, Any]

_MEMORY = Path('/proc/meminfo')
_RESIDENT = Path('/proc/self/status')
_FIRST_LOOK = 4  # environments; the first ones also load what all share
_LARGEST_SHARE = 0.8  # of the memory that was free; the replay needs some too


def make_many_of(env: Env) -> Callable[..., VectorEnv[Any, Any, Any]] | None:
    """
    Return ``make_vec`` of an environment that steps many of its kind in one call, as tasks do; None if there is none.

    Wrappers that change what an environment does, such as disturbances, cannot be around so many at once.
    """
    while isinstance(env, (OrderEnforcing, PassiveEnvChecker, TimeLimit)):
        env = env.env
    made: Callable[..., VectorEnv[Any, Any, Any]] | None = getattr(env, 'make_vec', None)
    return None if isinstance(env, gym.Wrapper) else made


def make_vector(make: Callable[[], Env], n: int) -> SyncVectorEnv:
    """
    Make n environments that are stepped one after the other in this process.

    MuJoCo's steps take tens of microseconds, less than it takes to send an action to another process; docs/training.md
    has the figures. Pass an ``AsyncVectorEnv`` of your own for slow environments.

    Args:
        make: makes one environment.
        n: how many.

    Raises:
        UnsupportedEnvironmentError: they would need more memory than there is; or as ``make`` does.
    """
    envs: list[Env] = []
    try:
        free, before, looked = _kilobytes(_MEMORY, 'MemAvailable'), 0.0, 0
        while len(envs) < n:
            envs.append(make())
            count = len(envs)
            if count & (count - 1) == 0 and count >= _FIRST_LOOK:  # at every doubling
                resident = _kilobytes(_RESIDENT, 'VmRSS')
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
    """Check that n environments of so many kB fit into so many kB."""
    if free and n * each > _LARGEST_SHARE * free:
        most = max(1, int(_LARGEST_SHARE * free / each))
        raise UnsupportedEnvironmentError(
            f'{n} environments need about {n * each / 2**20:.1f} GiB of memory, and {free / 2**20:.1f} GiB are free; '
            f'train in at most {most}.'
        )


def _kilobytes(path: Path, name: str) -> float:
    """Return an entry of a file of Linux's about memory [kB]; 0 where there is none, so that nothing is checked."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith(f'{name}:')), 0.0)
