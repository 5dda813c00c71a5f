"""The wrappers that the prediction examples need: episode statistics, and torch tensors in and out."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.wrappers import RecordEpisodeStatistics

from velora_ros.errors import MissingDependencyError
from velora_ros.gym.environment_errors import missing_module
from velora_ros.utils import how_to_install

if TYPE_CHECKING:
    import torch

Env = gym.Env[Any, Any]


def add_core_env_wrappers(env: Env, device: 'torch.device | str | None' = None) -> Env:
    """
    Add ``RecordEpisodeStatistics`` and ``NumpyToTorch``, in this order, each unless it is there already.

    Args:
        env: the environment, wrapped or not.
        device: where the tensors live; None is torch's default.

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
    if not _has(env, RecordEpisodeStatistics):
        env = RecordEpisodeStatistics(env)
    if not _has(env, NumpyToTorch):
        env = TorchTensors(env, device=device)
    return env


def _has(env: Env, kind: type) -> bool:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, kind):
            return True
        env = env.env
    return False
