"""``add_core_env_wrappers``: episode statistics, and torch tensors for observations and actions."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.wrappers import RecordEpisodeStatistics

from velora_ros.errors import MissingDependencyError
from velora_ros.gym.check_spaces import wrappers_of
from velora_ros.gym.describe_env_errors import missing_module
from velora_ros.utils.dependencies import how_to_install

if TYPE_CHECKING:
    import torch

Env = gym.Env[Any, Any]


def add_core_env_wrappers(env: Env, device: 'torch.device | str | None' = None) -> Env:
    """
    Add ``RecordEpisodeStatistics`` and then ``NumpyToTorch``, each unless the environment already has it.

    Args:
        env: the environment, wrapped or not.
        device: the device of the tensors; None: torch's default.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    try:
        from gymnasium.wrappers.numpy_to_torch import NumpyToTorch  # noqa: PLC0415 - the only part that needs torch

        from velora_ros.gym.torch_tensors import TorchTensors  # noqa: PLC0415
    except (ImportError, gym.error.DependencyNotInstalled) as error:
        raise MissingDependencyError(
            f'tensors need {missing_module(error) or "torch"}, which is not installed. {how_to_install("train")}'
        ) from error
    if not any(isinstance(one, RecordEpisodeStatistics) for one in wrappers_of(env)):
        env = RecordEpisodeStatistics(env)
    if not any(isinstance(one, NumpyToTorch) for one in wrappers_of(env)):
        env = TorchTensors(env, device=device)
    return env
