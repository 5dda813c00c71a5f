"""The unit of the noise: the standard deviation of each observation under random actions."""

import contextlib
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from velora_ros.gym.check_spaces import check_env

Env = gym.Env[Any, Any]

# Degrees of freedom times physics steps that take about a second.
AFFORDABLE = 150_000
FEWEST_STEPS = 20
# A simulation whose observations reach this value has diverged.
DIVERGED = 1e8


def signal_deviation(env: Env, steps: int = 1000, seed: int = 0) -> npt.NDArray[np.float64]:
    """
    Return the standard deviation of each observation under random actions, shape (k,).

    Use it as ``ObservationNoise(env, 0.1 * signal_deviation(env))``. The environment needs a reset afterwards.

    Args:
        env: the environment; its observations are vectors.
        steps: steps of the random policy.
        seed: seed of the environment and of the actions.

    Raises:
        UnsupportedEnvironmentError: observations or actions are not vectors.
    """
    check_env(env)
    with _no_mujoco_warnings():  # random actions can make a simulation diverge
        return _deviation(env, steps, seed)


def affordable_steps(env: Env) -> int:
    """Return how many steps :func:`signal_deviation` can take in about a second: 1,000, fewer for large models."""
    base: Any = env.unwrapped
    size = int(getattr(getattr(base, 'model', None), 'nv', 1)) * int(getattr(base, 'frame_skip', 1))
    return max(FEWEST_STEPS, min(1000, AFFORDABLE // max(size, 1)))


def _deviation(env: Env, steps: int, seed: int) -> npt.NDArray[np.float64]:
    assert isinstance(env.action_space, spaces.Box)
    rng = np.random.default_rng(seed)
    low, high = env.action_space.low, env.action_space.high
    observation, _ = env.reset(seed=seed)
    seen = [np.array(observation)]  # a copy, because many environments reuse the array of each step
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(rng.uniform(low, high).astype(env.action_space.dtype))
        if terminated or truncated:
            observation, _ = env.reset()
        seen.append(np.array(observation))
    rows = np.asarray(seen, dtype=np.float64)
    sound = (np.abs(rows) < DIVERGED).all(axis=1)  # False for NaN, too
    deviation: npt.NDArray[np.float64] = np.std(rows if sound.all() else rows[sound], axis=0)
    return deviation


@contextlib.contextmanager
def _no_mujoco_warnings() -> Iterator[None]:
    """Drop MuJoCo's warnings, which go to standard error and into MUJOCO_LOG.TXT, one for each bad step."""
    try:
        import mujoco  # noqa: PLC0415 - an environment without MuJoCo must not need it
    except ImportError:
        yield
        return
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda text: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)
