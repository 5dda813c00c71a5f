"""The environments of a training run: a numpy view of the given one, and a second one for evaluations."""

import logging
import warnings
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError, VeloraError
from velora_ros.gym.control_period import find_period
from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.gym.flattening import flat
from velora_ros.training.checked_env import REPAIR, env_failure
from velora_ros.training.hyperparameters import TrainConfig

logger = logging.getLogger(__name__)

Env = gymnasium.Env[Any, Any]
Vector = VectorEnv[Any, Any, Any]


class _NumpyView(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Converts actions to torch tensors and observations to numpy, for an environment wrapped for tensors."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        return _numpy(observation), _numpy_values(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(torch.from_numpy(np.asarray(action)))
        return _numpy(observation), reward, terminated, truncated, _numpy_values(info)


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


def evaluation_environment(env: Env) -> Env | None:
    """Make a second environment like the first, without a window; None, with a message, if that is impossible."""
    if env.spec is None:
        logger.warning('evaluation is skipped: the environment has no spec to make a second one from; pass eval_env.')
        return None
    try:
        windowless = {'render_mode': None} if 'render_mode' in env.spec.kwargs else {}
        return numpy_view(gymnasium.make(env.spec, **windowless))
    except FAILURES as error:  # a constructor may raise anything
        logger.warning('evaluation is skipped: a second environment could not be made (%s); pass eval_env.', error)
        return None


class _OneStream(gymnasium.Env[Any, Any]):
    """The first stream of a vector that does not show its environments: its spaces and what a reset returns."""

    def __init__(self, vector: Vector) -> None:
        self._vector = vector
        self.observation_space, self.action_space = vector.single_observation_space, vector.single_action_space
        self.metadata = vector.metadata
        if (period := getattr(vector, 'dt', None)) is not None:
            self.dt = period

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        observation, infos = self._vector.reset(seed=seed)
        return observation[0], {name: infos[name][0] for name in ('privileged_state', 'dt') if name in infos}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        raise NotImplementedError('a single stream of a vector cannot be stepped')


def one_of(vector: Vector) -> Env:
    """
    Return one environment that stands for all of a vector, for names, bounds, period and checks.

    It is the vector's own (``single()`` of a vector that has this method, the first one of a ``SyncVectorEnv``), a
    further one of an ``AsyncVectorEnv``, or a view of the first stream, which cannot be stepped. It may be reset, for
    the vector is reset when training begins.
    """
    if envs := getattr(vector.unwrapped, 'envs', None):
        first: Env = envs[0]
        return first
    made = _another(vector)
    return _OneStream(vector) if made is None else made


def _another(vector: Vector) -> Env | None:
    """Make a further environment like those of a vector; None if the vector does not say how."""
    single = getattr(vector, 'single', None)
    if single is None and isinstance(vector.unwrapped, AsyncVectorEnv):
        single = vector.unwrapped.env_fns[0]
    made: Env | None = None if single is None else single()
    return made


def evaluation_environment_of(vector: Vector, one: Env) -> Env | None:
    """Make an environment for evaluations like those of a vector, for which ``one`` stands; None if impossible."""
    made = _another(vector)
    return evaluation_environment(one) if made is None else numpy_view(made)


def time_limit(vector: Vector) -> int | None:
    """Return the steps after which the environments of a vector end episodes by themselves; None if unknown."""
    spec = vector.spec
    if spec is None and isinstance(vector.unwrapped, SyncVectorEnv | AsyncVectorEnv):
        spec = vector.unwrapped.get_attr('spec')[0]
    return None if spec is None else spec.max_episode_steps


def check_vector(vector: Vector, config: TrainConfig) -> None:
    """
    Check that the environments of a vector are alike, and that these hyperparameters can train in it.

    Raises:
        UnsupportedEnvironmentError: they differ, or a space is no box.
        ConfigError: a hyperparameter needs a single environment, or the replay is too small for so many.
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
    Check that hyperparameters can train in so many environments at once.

    Raises:
        ConfigError: one needs a single environment, or the replay is too small for so many.
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


def _check_alike(vector: Vector) -> None:
    envs: list[Env] = getattr(vector.unwrapped, 'envs', [])
    if not envs:
        return
    first = _told(envs[0])
    with warnings.catch_warnings(action='ignore'):  # of an assumed period: the first environment has told
        others = [_told(env) for env in envs[1:]]
    for stream, other in enumerate(others, 1):
        for what, value in other.items():
            if value != first[what]:
                raise UnsupportedEnvironmentError(
                    f'environment {stream} of the vector has {what} {value}, environment 0 has {first[what]}; all '
                    'environments of a vector must be alike. Make them from one function.'
                )


def _told(env: Env) -> dict[str, Any]:
    """Return what environments of one vector must have in common."""
    period, _ = find_period(env)
    limit = None if env.spec is None else env.spec.max_episode_steps
    return {
        'the observation space': env.observation_space,
        'the action space': env.action_space,
        'the period': period,
        'the time limit': limit,
    }


def _numpy(value: Any) -> Any:
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else value


def _numpy_values(info: dict[str, Any]) -> dict[str, Any]:
    return {key: _numpy(value) for key, value in info.items()}
