"""Checks of a vector of environments before training: that they are alike, their spaces, and the size of the replay."""

import warnings
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.gym.control_period import find_period
from velora_ros.training.hyperparameters import TrainConfig

Env = gymnasium.Env[Any, Any]
Vector = VectorEnv[Any, Any, Any]


def check_vector(vector: Vector, config: TrainConfig) -> None:
    """
    Check that the environments of a vector are alike, and that the hyperparameters suit a vector.

    Raises:
        UnsupportedEnvironmentError: the environments differ, or a space is not a box.
        ConfigError: a hyperparameter needs a single environment, or the replay is too small for so many environments.
    """
    _check_alike(vector)
    for name, space in (('observations', vector.single_observation_space), ('actions', vector.single_action_space)):
        if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
            raise UnsupportedEnvironmentError(
                f'the {name} of the vector are {space}; they must be vectors of numbers (a Box with one axis). Flatten '
                'them in each environment.'
            )
    check_streams(vector.num_envs, config)


def check_streams(num_envs: int, config: TrainConfig) -> None:
    """
    Check that the hyperparameters suit this many environments at once.

    Raises:
        ConfigError: a hyperparameter needs a single environment, or the replay is too small for so many environments.
    """
    if config.episode_share:
        raise ConfigError(
            f'episode_share is {config.episode_share}, which needs a single environment; set it to 0 to train in a '
            'vector.'
        )
    needed = num_envs * (config.burn_in + config.sequence_length)
    if config.buffer_size < needed:
        raise ConfigError(
            f'buffer_size is {config.buffer_size}; {num_envs} environments need at least {needed} transitions, '
            'one sequence each. Raise buffer_size, or train in fewer environments.'
        )
    kept = num_envs * (config.buffer_size // num_envs)
    if kept < config.batch_size:
        raise ConfigError(
            f'buffer_size is {config.buffer_size}, of which {num_envs} environments keep {kept} transitions, the same '
            f'number each; the first update needs the {config.batch_size} transitions of a batch. Raise '
            'buffer_size, or lower batch_size.'
        )


def time_limit(vector: Vector) -> int | None:
    """Return the steps after which the environments of a vector end episodes by themselves; None if unknown."""
    spec = vector.spec
    if spec is None and isinstance(vector.unwrapped, SyncVectorEnv | AsyncVectorEnv):
        spec = vector.unwrapped.get_attr('spec')[0]
    return None if spec is None else spec.max_episode_steps


def _check_alike(vector: Vector) -> None:
    envs: list[Env] = getattr(vector.unwrapped, 'envs', [])
    if not envs:
        return
    first = _common_properties(envs[0])
    with warnings.catch_warnings(action='ignore'):  # an assumed period was already reported for the first environment
        others = [_common_properties(env) for env in envs[1:]]
    for stream, other in enumerate(others, 1):
        for what, value in other.items():
            if value != first[what]:
                raise UnsupportedEnvironmentError(
                    f'environment {stream} of the vector has {what} {value}, but environment 0 has {first[what]}; all '
                    'environments of a vector must be alike. Make them from one function.'
                )


def _common_properties(env: Env) -> dict[str, Any]:
    """Return the properties that the environments of a vector must share."""
    period, _ = find_period(env)
    limit = None if env.spec is None else env.spec.max_episode_steps
    return {
        'the observation space': env.observation_space,
        'the action space': env.action_space,
        'the period': period,
        'the time limit': limit,
    }
