"""
Runs a policy: turns observations and elapsed times into actions, and keeps the hidden state. It does not need torch.

``Policy.step`` checks the shape of the observation and the elapsed time. An engine checks the numbers and computes the
step: ``numba_engine``, ``numpy_engine``, or ``foreign/onnx_engine`` for an ONNX model.
"""

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError, MissingDependencyError, ObservationError, PolicyFileError
from velora_ros.liquid.cell_registry import CFC
from velora_ros.policy.engine_protocol import ENGINES, Engine
from velora_ros.policy.foreign.foreign_policy_file import OnnxFile, is_foreign
from velora_ros.policy.foreign.onnx_engine import OnnxEngine
from velora_ros.policy.numpy_engine import NumpyEngine
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]

_NUMBERS = (float, int, np.floating, np.integer)
_FLOAT64 = np.dtype(np.float64)


class Policy:
    """
    Runs a recurrent policy, one step at a time.

    Args:
        file: the content of a policy file or of an ONNX model.
        engine: ``numba``, ``numpy``, or ``auto``: onnxruntime for an ONNX model, numba if it is installed and the
            policy has the liquid cell, otherwise numpy.

    Raises:
        ConfigError: there is no such engine, or it cannot run this policy's cell.
        MissingDependencyError: numba or onnxruntime is needed but not installed.
        PolicyFileError: onnxruntime cannot run the model.
    """

    def __init__(self, file: PolicyFile | OnnxFile, engine: str = 'auto') -> None:
        self._file = file
        self._name, self._engine = make_engine(engine, file)
        self._shape = (file.spec.observation_dim,)
        self._period = file.spec.control_period
        self._shortest, self._longest = file.dt_range
        self._fresh = True

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = 'auto') -> 'Policy':
        """
        Load a policy file, or an ONNX model with its description file.

        Raises:
            PolicyFileError: the file is missing or damaged; the error says what is wrong with it.
        """
        file = load_file(path)
        try:
            return cls(file, engine)
        except PolicyFileError as error:
            raise PolicyFileError(f"policy file '{os.fspath(path)}': {error}") from error

    def reset(self) -> None:
        """
        Set the hidden state to zero; the next step uses the nominal period, however much time has passed.

        A policy of another library may have another start state.
        """
        self._engine.hidden[:] = self._engine.start
        self._fresh = True

    def warm_up(self) -> None:
        """Do in advance what would slow down the first step, such as compiling; the hidden state is unchanged."""
        self._engine.warm_up()

    def step(self, observation: npt.ArrayLike, dt: float | None = None) -> Array:
        """
        Advance the hidden state by one observation and return the action.

        Args:
            observation: the observation, shape (observation,), in the order and the units of the spec.
            dt: the time since the previous observation [s], clamped to the range seen in training; None for the nominal
                period. The first step after a reset always uses the nominal period.

        Returns:
            The action, a new array of shape (action,), in the policy's own units and within the bounds of the spec.

        Raises:
            ObservationError: the observation has the wrong shape, is not finite or is too large, or the elapsed time is
                negative or not finite. The hidden state is unchanged.
        """
        if type(observation) is not np.ndarray or observation.dtype is not _FLOAT64:
            observation = _as_float64(observation)
        if observation.shape != self._shape:
            raise ObservationError(
                f'the observation has the shape {observation.shape}; it must be {self._shape}: '
                f'{", ".join(self.spec.observation_names)}.'
            )
        action = self._engine.step(observation, self._ratio(dt))
        self._fresh = False
        return action

    def _ratio(self, dt: float | None) -> float:
        """Return dt / T by the rules of :meth:`step`."""
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
        """A copy of the hidden state, shape (hidden,). If it is set, the next step continues from the new state."""
        return self._engine.hidden.astype(np.float64)

    @hidden.setter
    def hidden(self, value: npt.ArrayLike) -> None:
        hidden = _as_float64(value)
        if hidden.shape != self._engine.hidden.shape or not np.isfinite(hidden).all():
            raise ObservationError(
                f'the hidden state is {hidden}; it must be {self._engine.hidden.size} finite numbers.'
            )
        self._engine.hidden[:] = hidden
        self._fresh = False

    @property
    def content(self) -> PolicyFile | OnnxFile:
        """The content of the policy file, or of the ONNX model."""
        return self._file

    @property
    def file(self) -> PolicyFile:
        """The content of the policy file; raises PolicyFileError for an ONNX model."""
        if isinstance(self._file, OnnxFile):
            raise PolicyFileError(
                f"the policy '{self._file.name}' is an ONNX model, which only policy_node and Policy.step can "
                'run; this function needs a policy file (.safetensors).'
            )
        return self._file

    @property
    def spec(self) -> PolicySpec:
        """The observations and actions: names, units, bounds, nominal period."""
        return self._file.spec

    @property
    def digest(self) -> str:
        """The policy's digest, SHA-256 in hex; see :attr:`PolicyFile.digest`."""
        return self._file.digest

    @property
    def engine(self) -> str:
        """The engine that steps the policy: ``numba``, ``numpy`` or ``onnx``."""
        return self._name

    @property
    def period(self) -> float:
        """Nominal control period, T [s]."""
        return self._period

    @property
    def dt_range(self) -> tuple[float, float]:
        """Shortest and longest elapsed time seen in training [s]; :meth:`step` clamps to this range."""
        return self._file.dt_range


def load_file(path: str | os.PathLike[str]) -> PolicyFile | OnnxFile:
    """
    Return the content of a policy file, or of an ONNX model with its description file.

    Raises:
        PolicyFileError: the file is missing or damaged, or is neither a policy file nor an ONNX model.
    """
    return OnnxFile.load(path) if is_foreign(path) else PolicyFile.load(path)


def read_spec(path: str | os.PathLike[str]) -> PolicySpec:
    """
    Return the specification of a policy file or of an ONNX model, without loading the weights if possible.

    Raises:
        PolicyFileError: as for :func:`load_file`.
    """
    return OnnxFile.load(path).spec if is_foreign(path) else PolicyFile.read_spec(path)


def make_engine(name: str, file: PolicyFile | OnnxFile) -> tuple[str, Engine]:
    """
    Return (name, engine) for the argument ``engine`` of :class:`Policy`.

    Raises:
        ConfigError: there is no such engine, or it cannot run this policy's cell.
        MissingDependencyError: numba or onnxruntime is needed but not installed.
        PolicyFileError: onnxruntime cannot run the model.
    """
    if name not in ENGINES:
        raise ConfigError(f"the engine is '{name}'; it must be one of {', '.join(ENGINES)}.")
    if isinstance(file, OnnxFile):
        if name != 'auto':
            raise ConfigError(f"the engine is '{name}', but the policy is an ONNX model; use 'auto'.")
        return file.cell, OnnxEngine(file)
    if name == 'numba' and file.cell != CFC:
        raise ConfigError(
            f"the engine 'numba' supports only the cell '{CFC}', but this policy has the cell '{file.cell}'; use the "
            "engine 'numpy'."
        )
    if name != 'numpy' and file.cell == CFC:
        try:
            from velora_ros.policy.numba_engine import NumbaEngine  # noqa: PLC0415 - importing numba takes 0.5 s
        except ImportError as error:
            if name == 'numba':
                raise MissingDependencyError(
                    f"the engine 'numba' cannot import numba ({error}); install it, or use 'numpy'."
                ) from error
        else:
            return 'numba', NumbaEngine(file)
    return 'numpy', NumpyEngine(file)


def _as_float64(values: Any) -> Array:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in 'fiub':
            raise TypeError(f'type {array.dtype}')
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ObservationError(f'{values!r} is not an array of numbers ({error}); give numbers.') from error
