"""A second environment for the evaluations of a training run, like the training environment or vector."""

import logging
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, VectorEnv

from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.training.numpy_view import Env, numpy_view

logger = logging.getLogger(__name__)

Vector = VectorEnv[Any, Any, Any]


def evaluation_environment(env: Env) -> Env | None:
    """Make a second environment like ``env``, without a window; if that is impossible, log why and return None."""
    if env.spec is None:
        logger.warning(
            'evaluation is skipped: the environment has no spec from which to make a second one; pass eval_env.'
        )
        return None
    try:
        windowless = {'render_mode': None} if 'render_mode' in env.spec.kwargs else {}
        return numpy_view(gymnasium.make(env.spec, **windowless))
    except FAILURES as error:  # a constructor may raise anything
        logger.warning('evaluation is skipped: a second environment could not be made (%s); pass eval_env.', error)
        return None


def evaluation_environment_of(vector: Vector, one: Env) -> Env | None:
    """Make an environment for the evaluations of a vector, which ``one`` represents; None if that is impossible."""
    made = _another(vector)
    return evaluation_environment(one) if made is None else numpy_view(made)


def one_of(vector: Vector) -> Env:
    """
    Return one environment that represents all of a vector, for names, bounds, period and checks.

    It is the first environment of a ``SyncVectorEnv``, the result of ``single()`` of a vector that has this method, a
    new environment for an ``AsyncVectorEnv``, or else a view of the first stream, which cannot be stepped. It may be
    reset, because the vector is reset when training begins.
    """
    if envs := getattr(vector.unwrapped, 'envs', None):
        first: Env = envs[0]
        return first
    made = _another(vector)
    return _OneStream(vector) if made is None else made


def _another(vector: Vector) -> Env | None:
    """Make another environment of the same kind as a vector's; None if the vector offers no function for it."""
    single = getattr(vector, 'single', None)
    if single is None and isinstance(vector.unwrapped, AsyncVectorEnv):
        single = vector.unwrapped.env_fns[0]
    made: Env | None = None if single is None else single()
    return made


class _OneStream(gymnasium.Env[Any, Any]):
    """The first stream of a vector that hides its environments: the spaces, and what a reset returns."""

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
