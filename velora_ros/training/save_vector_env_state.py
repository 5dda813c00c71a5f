"""The state of a vector of environments as arrays by name, for checkpoints in the middle of episodes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from velora_ros.gym import save_env_state

Arrays = dict[str, npt.NDArray[Any]]


def can_save(vector: VectorEnv[Any, Any, Any]) -> bool:
    """
    Return whether the state of a vector can be saved and restored bit for bit.

    This is possible for a vector with the methods ``get_state``, which returns arrays by name, and ``set_state``, such
    as a task's vector. It is also possible for a ``SyncVectorEnv`` without autoreset of gymnasium's MuJoCo environments
    (:mod:`velora_ros.gym.save_env_state`).
    """
    if callable(getattr(vector, 'get_state', None)) and callable(getattr(vector, 'set_state', None)):
        return True
    return (
        type(vector) is SyncVectorEnv
        and vector.autoreset_mode is AutoresetMode.DISABLED
        and all(save_env_state.can_be_saved(env) for env in vector.envs)
    )


def get_state(vector: Any) -> Arrays:
    """Return the state of a vector that can be saved."""
    if hasattr(vector, 'get_state'):
        return dict(vector.get_state())
    states = [save_env_state.state_of(env) for env in vector.envs]
    return {name: np.stack([state[name] for state in states]) for name in states[0]}


def set_state(vector: Any, state: Mapping[str, npt.NDArray[Any]]) -> None:
    """Continue exactly where :func:`get_state` was called, in a vector that was made in the same way."""
    vector.reset(seed=0)  # a new vector must have been reset once
    if hasattr(vector, 'set_state'):
        vector.set_state(state)
        return
    for stream, env in enumerate(vector.envs):
        save_env_state.restore(env, {name: values[stream] for name, values in state.items()})
