"""A numpy view of the training environment: flat observations, even if the environment uses torch tensors."""

from typing import Any

import gymnasium
import numpy as np
import torch

from velora_ros.errors import VeloraError
from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.gym.flattening import flat
from velora_ros.training.checked_env import REPAIR, env_failure

Env = gymnasium.Env[Any, Any]


def numpy_view(env: Env) -> Env:
    """
    Return an environment with flat observations in numpy, even if it uses torch tensors.

    Raises:
        UnsupportedEnvironmentError: its observations cannot be flattened, or its reset fails.
    """
    env = flat(env)
    try:
        observation, _ = env.reset(seed=0)
    except VeloraError:
        raise
    except FAILURES as error:  # an environment may raise anything
        raise env_failure(error, 'at its first reset', REPAIR) from error
    return _NumpyView(env) if isinstance(observation, torch.Tensor) else env


class _NumpyView(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Converts actions to torch tensors and observations to numpy, for an environment wrapped for tensors."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        return _numpy(observation), _numpy_values(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(torch.from_numpy(np.asarray(action)))
        return _numpy(observation), reward, terminated, truncated, _numpy_values(info)


def _numpy(value: Any) -> Any:
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else value


def _numpy_values(info: dict[str, Any]) -> dict[str, Any]:
    return {key: _numpy(value) for key, value in info.items()}
