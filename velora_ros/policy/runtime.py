"""A policy that runs: it keeps its hidden state between observations and knows how much time passed. No torch."""

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ObservationError
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.policy.engine import make_engine
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]

_NUMBERS = (float, int, np.floating, np.integer)
_FLOAT64 = np.dtype(np.float64)


class Policy:
    """
    A recurrent policy, one step at a time.

    Args:
        file: the policy file's content.
        engine: ``numba``, ``numpy``, or ``auto`` for numba where it is installed.

    Raises:
        ConfigError: there is no such engine.
        MissingDependencyError: numba was asked for and is not installed.
    """

    def __init__(self, file: PolicyFile, engine: str = 'auto') -> None:
        self._file = file
        self._name, self._engine = make_engine(engine, file)
        self._shape = (file.spec.observation_dim,)
        self._period = file.spec.control_period
        self._shortest, self._longest = file.dt_range
        self._fresh = True

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = 'auto') -> 'Policy':
        """
        Load a policy file.

        Raises:
            PolicyFileError: the file is missing or damaged; the message says what is wrong with it.
        """
        return cls(PolicyFile.load(path), engine)

    def reset(self) -> None:
        """Forget everything: a zero hidden state, and the next step counts as one nominal period."""
        self._engine.hidden[:] = 0.0
        self._fresh = True

    def warm_up(self) -> None:
        """Compile now, so that the first step is as fast as the others; the hidden state stays as it is."""
        self._engine.warm_up()

    def step(self, observation: npt.ArrayLike, dt: float | None = None) -> Array:
        """
        Take one observation, advance the hidden state, return the action.

        Args:
            observation: shape (S,), in the spec's order and units.
            dt: time since the last observation [s]; None is the nominal period. It is clamped to the range seen in
                training; after a reset the first step always takes the nominal period.

        Returns:
            a new array, shape (A,), in the environment's units and within the spec's bounds.

        Raises:
            ObservationError: wrong shape, not finite, or an elapsed time that is negative or not finite. The hidden
                state is as before.
        """
        if type(observation) is not np.ndarray or observation.dtype is not _FLOAT64:
            observation = _as_float64(observation)
        if observation.shape != self._shape:
            raise ObservationError(
                f'the observation has the shape {observation.shape}; this policy reads {self._shape}: '
                f'{", ".join(self.spec.observation_names)}.'
            )
        action = self._engine.step(observation, self._ratio(dt))
        self._fresh = False
        return action

    def _ratio(self, dt: float | None) -> float:
        """Return dt / T after the rules of :meth:`step`."""
        if dt is None:
            return 1.0
        if not (isinstance(dt, _NUMBERS) and 0.0 <= dt < math.inf):
            raise ObservationError(f'dt is {dt!r}; the elapsed time must be a finite number of seconds, 0 or more.')
        if self._fresh:
            return 1.0
        if not self._shortest <= dt <= self._longest:
            dt = self._shortest if dt < self._shortest else self._longest
        return float(dt) / self._period

    @property
    def hidden(self) -> Array:
        """The hidden state, a copy, shape (H,), each entry in [-1, 1]; setting it continues from there."""
        return self._engine.hidden.copy()

    @hidden.setter
    def hidden(self, value: npt.ArrayLike) -> None:
        hidden = _as_float64(value)
        if hidden.shape != self._engine.hidden.shape or not np.isfinite(hidden).all():
            raise ObservationError(
                f'the hidden state is {hidden}; this policy has {self._engine.hidden.size} finite numbers.'
            )
        self._engine.hidden[:] = hidden
        self._fresh = False

    @property
    def file(self) -> PolicyFile:
        """The policy file's content."""
        return self._file

    @property
    def spec(self) -> PolicySpec:
        """What goes in and comes out."""
        return self._file.spec

    @property
    def digest(self) -> str:
        """The policy's identity, SHA-256 in hex."""
        return self._file.digest

    @property
    def engine(self) -> str:
        """``numba`` or ``numpy``."""
        return self._name

    @property
    def period(self) -> float:
        """Nominal control period, T [s]."""
        return self._period

    @property
    def dt_range(self) -> tuple[float, float]:
        """Shortest and longest elapsed time seen in training [s]; others are clamped to it."""
        return self._file.dt_range


def _as_float64(values: Any) -> Array:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in 'fiub':
            raise TypeError(f'type {array.dtype}')
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ObservationError(f'numbers were expected, and {values!r} came ({error}).') from error
