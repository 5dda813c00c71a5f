"""
The engine that steps an ONNX model with onnxruntime: one thread, no telemetry, limited memory.

The hidden state is one vector: all hidden tensors of the network and, if it reads several frames, the earlier frames.
See :class:`velora_ros.policy.engine_protocol.Engine`.
"""

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import MissingDependencyError, ObservationError, PolicyFileError
from velora_ros.policy.engine_protocol import in_one_line, not_finite, too_large
from velora_ros.policy.foreign.frame_stacking import Frames
from velora_ros.policy.foreign.onnx_model_checks import one_line
from velora_ros.policy.foreign.tensor_roles import Roles, Tensor
from velora_ros.utils.dependencies import how_to_install

if TYPE_CHECKING:
    from velora_ros.policy.foreign.foreign_policy_file import OnnxFile

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating]

LARGEST_MEMORY = 2**29
"""Maximum memory in bytes for the tensors of all models in a process; a model that needs more is refused."""
_LARGEST_INPUT = 1e30  # larger numbers overflow in the network's 32-bit sums
_FATAL = 4  # only fatal errors are logged; others are raised


class OnnxEngine:
    """
    Steps the policy of an ONNX file.

    Args:
        file: the model and its contract.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        PolicyFileError: onnxruntime cannot run the model, or the model's outputs do not fit the contract.
    """

    def __init__(self, file: 'OnnxFile') -> None:
        roles, self._period = file.roles, file.spec.control_period
        self._low, self._high = (np.asarray(ends) if ends else None for ends in (file.input_low, file.input_high))
        self._clips_input = self._low is not None or self._high is not None
        self._clip = file.action_clip
        self._frames = Frames(file.widths, file.history) if set(file.history) != {1} else None
        self._session = make_session(file.model)
        self._memory, kind = roles.hidden_size, _number_kind(roles)
        # After the frames comes a flag, which is 1 after the first observation, so that zeros are a fresh state.
        self.hidden = np.zeros(self._memory + (self._frames.size + 1 if self._frames else 0), kind)
        start = np.zeros(len(self.hidden))
        start[: len(file.start)] = file.start
        self.start: Array | float = start
        self.hidden[:] = self.start
        self._observation = np.zeros(roles.observation.size, roles.observation.dtype)
        self._dt = np.zeros(1, roles.dt.dtype) if roles.dt else None
        self._result = np.zeros(file.spec.action_dim + self._memory, kind)
        self._action, self._next = self._result[: file.spec.action_dim], self._result[file.spec.action_dim :]
        self._kept = self.hidden[: self._memory]
        self._bind(roles, self._shapes(file))

    def step(self, observation: Array, ratio: float) -> Array:
        """Step with an observation, shape (S,); return the action, shape (A,). On an error, the state is unchanged."""
        if not math.hypot(*observation.tolist()) <= _LARGEST_INPUT:  # also true for NaN
            self._check(observation)
        frames = self._input(observation) if self._clips_input or self._frames is not None else observation
        self._observation[:] = frames
        if self._dt is not None:
            self._dt[0] = ratio * self._period
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # onnxruntime's errors have no common class
            raise ObservationError(_cannot_run(error)) from error
        if not math.hypot(*self._result.tolist()) < math.inf:
            raise ObservationError(
                'the network returns numbers that are not finite for this observation; check its units and order: '
                f'{in_one_line(observation)}.'
            )
        if self._memory:
            self._kept[:] = self._next
        if self._frames is not None:
            self.hidden[self._memory : -1], self.hidden[-1] = frames, 1.0
        action: Array = self._action.astype(np.float64)
        return action if self._clip is None else np.minimum(np.maximum(action, self._clip[0]), self._clip[1])

    def warm_up(self) -> None:
        """Take some steps, and restore the hidden state."""
        hidden, zero = self.hidden.copy(), np.zeros(self._observation_size)
        for _ in range(3):
            self.step(zero, 1.0)
        self.hidden[:] = hidden

    def _check(self, observation: Array) -> None:
        """Raise ObservationError for an observation that is not finite or too large for 32-bit sums."""
        if not np.isfinite(observation).all():
            raise ObservationError(not_finite(observation))
        if np.abs(self._clipped(observation)).max() > _LARGEST_INPUT:
            raise ObservationError(too_large(observation))

    def _clipped(self, observation: Array) -> Array:
        return np.clip(observation, self._low, self._high) if self._clips_input else observation

    def _input(self, observation: Array) -> Array:
        observation = self._clipped(observation)
        if self._frames is None:
            return observation
        return self._frames.next(self.hidden[self._memory : -1], observation, first=not self.hidden[-1])

    def _shapes(self, file: 'OnnxFile') -> list[tuple[int, ...]]:
        """Check with one step that the outputs of the model fit the contract; return the shape of each output."""
        spec, roles = file.spec, file.roles
        self._observation_size = spec.observation_dim
        given = self._frames.size if self._frames else spec.observation_dim
        if given != roles.observation.size:
            raise PolicyFileError(
                f'its network reads {roles.observation.size} numbers, but its terms have {given}: '
                f'{file.described_terms}. Correct the terms, their joints or their history in the description '
                "('observations')."
            )
        feeds = {one.name: np.zeros(one.shape, one.dtype) for one in _inputs(roles)}
        try:
            action, *after = map(np.asarray, self._session.run([one.name for one in _outputs(roles)], feeds))
        except Exception as error:
            raise PolicyFileError(_cannot_run(error)) from error
        if action.size != spec.action_dim or [one.size for one in after] != [one.size for one, _ in roles.states]:
            raise PolicyFileError(
                f'its network returns {action.size} actions and {sum(one.size for one in after)} numbers of hidden '
                f'state, but the description has {spec.action_dim} actions ({", ".join(spec.action_names[:4])}, ...) '
                f'and {self._memory} numbers; correct the description.'
            )
        return [action.shape, *(one.shape for one in after)]

    def _bind(self, roles: Roles, shapes: Sequence[tuple[int, ...]]) -> None:
        """
        Make the model read and write the same arrays at every step.

        Passing arrays would take longer than a small network. The model reads the observation, the elapsed time and the
        hidden state, and writes the action, followed by the next hidden state.
        """
        self._binding = self._session.io_binding()
        places = [self._observation, *_split(self.hidden, [one.size for one, _ in roles.states])]
        places += [self._dt] if self._dt is not None else []
        for one, place in zip(_inputs(roles), places, strict=True):
            self._binding.bind_input(one.name, 'cpu', 0, place.dtype.type, one.shape, place.ctypes.data)
        results = _split(self._result, [math.prod(shape) for shape in shapes])
        for one, place, shape in zip(_outputs(roles), results, shapes, strict=True):
            self._binding.bind_output(one.name, 'cpu', 0, place.dtype.type, shape, place.ctypes.data)


def _inputs(roles: Roles) -> list[Tensor]:
    return [roles.observation, *(before for before, _ in roles.states), *([roles.dt] if roles.dt else [])]


def _outputs(roles: Roles) -> list[Tensor]:
    return [roles.action, *(after for _, after in roles.states)]


def _number_kind(roles: Roles) -> str:
    """Return the dtype of the action, after checking that the hidden states have the same dtype."""
    kinds = {roles.action.dtype, *(one.dtype for pair in roles.states for one in pair)}
    if len(kinds) > 1:
        raise PolicyFileError(
            'its action and hidden states mix 32-bit and 64-bit numbers; export the policy with only one of them.'
        )
    return kinds.pop()


def _split(whole: Numbers, sizes: Sequence[int]) -> list[Numbers]:
    """Split an array, shape (n,), into consecutive parts of the given sizes."""
    ends = np.cumsum(sizes)
    return [whole[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _cannot_run(error: Exception) -> str:
    return f'the network cannot be run: {one_line(error)}.'


def make_session(model: bytes) -> Any:
    """
    Return an onnxruntime session of a model that :func:`velora_ros.policy.foreign.onnx_model_checks.check` accepts.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        PolicyFileError: onnxruntime cannot run the model.
    """
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL
    options.add_session_config_entry('session.load_model_format', 'ONNX')
    options.add_session_config_entry('session.use_env_allocators', '1')  # the allocator with the limit
    try:
        return runtime.InferenceSession(
            model, options, providers=['CPUExecutionProvider'],
            disabled_optimizers=['ConstantFolding'],  # it would ignore the limit
        )  # fmt: skip
    except Exception as error:
        raise PolicyFileError(f'onnxruntime {runtime.__version__} cannot run it: {one_line(error)}.') from error


@functools.cache
def _runtime() -> Any:
    """Import and return onnxruntime, without telemetry and with limited memory for this process."""
    try:
        import onnxruntime as runtime
    except ImportError as error:
        raise MissingDependencyError(
            f'an ONNX policy needs onnxruntime, which cannot be imported ({error}). {how_to_install("onnx")}'
        ) from error
    runtime.disable_telemetry_events()
    arena = {
        'max_mem': LARGEST_MEMORY, 'arena_extend_strategy': 1, 'initial_chunk_size_bytes': -1,
        'max_dead_bytes_per_chunk': -1,
    }  # fmt: skip
    runtime.create_and_register_allocator(
        runtime.OrtMemoryInfo('Cpu', runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, runtime.OrtMemType.DEFAULT),
        runtime.OrtArenaCfg(arena),
    )
    return runtime
