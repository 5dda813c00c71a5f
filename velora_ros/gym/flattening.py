"""Turn observations that are dictionaries or tuples, nested or not, into one vector with named entries."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.spaces.utils import flatten
from gymnasium.utils import RecordConstructorArgs

from velora_ros.contract.joint_signals import UNITS, Signal
from velora_ros.errors import UnsupportedEnvironmentError

Env = gym.Env[Any, Any]

_ROOT = 'obs'
_NUMBERS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_IMAGE_DIMENSIONS = (2, 3)


class NamedFlatten(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Turn a dictionary or a tuple of observations into one vector, in the order of the space.

    Entries are named by their path: ``goal/y`` for a single number, ``goal/y_0``, ``goal/y_1`` for a vector. A single
    number called ``position``, ``velocity`` or ``effort`` also gets ``_0``, because it need not belong to a joint.
    Discrete values become one-hot vectors, as in ``gymnasium.spaces.flatten``.

    Args:
        env: the environment.

    Raises:
        UnsupportedEnvironmentError: a part of the observation is an image, or is not made of numbers.
    """

    def __init__(self, env: Env) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        self._leaves = list(_leaves(env.observation_space, ()))
        boxes = [_box(path, space) for path, space in self._leaves]
        self._dtype = np.result_type(np.float32, *(box.dtype for box in boxes))
        self.observation_space = spaces.Box(
            np.concatenate([box.low for box in boxes]).astype(self._dtype),
            np.concatenate([box.high for box in boxes]).astype(self._dtype),
            dtype=self._dtype.type,
        )
        self._names = _names(
            [(path, box.shape[0], space.shape or ()) for (path, space), box in zip(self._leaves, boxes, strict=True)]
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; return the flattened observation."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._vector(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; return the flattened observation."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._vector(observation), reward, terminated, truncated, info

    def rename(self, _signals: list[Signal]) -> list[Signal]:
        """Return the names of the entries."""
        return [Signal(name, '') for name in self._names]

    def _vector(self, observation: Any) -> npt.NDArray[Any]:
        values: list[npt.NDArray[Any]] = []
        for path, space in self._leaves:
            value = observation
            for key in path:
                value = value[key]
            values.append(np.ravel(np.asarray(value if isinstance(space, spaces.Box) else flatten(space, value))))
        return np.concatenate(values).astype(self._dtype)


def flat(env: Env) -> Env:
    """
    Return the environment, flattened by :class:`NamedFlatten` if its observations are a dictionary or a tuple.

    Args:
        env: the environment; any other object is returned unchanged.

    Raises:
        UnsupportedEnvironmentError: the observations cannot be flattened.
    """
    if isinstance(env, gym.Env) and isinstance(getattr(env, 'observation_space', None), spaces.Dict | spaces.Tuple):
        return NamedFlatten(env)
    return env


def _leaves(space: gym.Space[Any], path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], gym.Space[Any]]]:
    """Yield the parts of a space that are not dictionaries or tuples, with their paths of keys."""
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaves(part, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for index, part in enumerate(space.spaces):
            yield from _leaves(part, (*path, index))
    else:
        yield path, space


def _box(path: tuple[Any, ...], space: gym.Space[Any]) -> spaces.Box:
    """Return the flattened space of one part, of shape (n,)."""
    name, shape = '/'.join(map(str, path)), space.shape or ()
    if not isinstance(space, _NUMBERS):
        raise UnsupportedEnvironmentError(
            f"the observation '{name}' is {space}; it must be made of numbers (Box or discrete). Remove it with "
            'gymnasium.wrappers.FilterObservation, or in the environment.'
        )
    if isinstance(space, spaces.Box) and len(shape) in _IMAGE_DIMENSIONS and space.dtype == np.uint8:
        raise UnsupportedEnvironmentError(
            f"the observation '{name}' has the shape {shape}, an image; images need another kind of agent. Remove "
            'it with gymnasium.wrappers.FilterObservation, or in the environment.'
        )
    flattened = spaces.flatten_space(space)
    assert isinstance(flattened, spaces.Box)
    return flattened


def _names(parts: list[tuple[tuple[Any, ...], int, tuple[int, ...]]]) -> list[str]:
    """Return a unique name for each entry, from the path, number of entries and shape of each part."""
    names = []
    for path, size, shape in parts:
        words = [str(key) for key in path]
        name = '/'.join([_ROOT, *words] if words and words[0].isdigit() else words)
        if size == 1 and words[-1] not in UNITS:
            names.append(name)
        elif len(shape) > 1:
            names += [f'{name}_{"_".join(map(str, index))}' for index in np.ndindex(*shape)]
        else:
            names += [f'{name}_{index}' for index in range(size)]
    return [name if names.count(name) == 1 else f'{_ROOT}_{index}' for index, name in enumerate(names)]
