"""
The engine that steps an ONNX model with onnxruntime: one thread, no telemetry, limited memory.

The hidden state is that of the network, all its tensors in one vector, and, if the network reads several frames, the
frames before. See :class:`velora_ros.policy.engine_protocol.Engine`.
"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import MissingDependencyError, ObservationError, PolicyFileError
from velora_ros.policy.engine_protocol import in_one_line, not_finite, too_large
from velora_ros.policy.foreign.frame_stacking import Frames
from velora_ros.policy.foreign.model_checks import one_line
from velora_ros.utils.dependencies import how_to_install

if TYPE_CHECKING:
    from velora_ros.policy.foreign.onnx_file import OnnxFile

Array = npt.NDArray[np.float64]

LARGEST_MEMORY = 2**29
"""Bytes of all tensors of all models of a process; a model that needs more fails, and nothing else does."""
_LARGEST_INPUT = 1e30  # larger numbers overflow in the network's 32-bit sums
_FATAL = 4  # only what ends the process is logged; errors are raised


class OnnxEngine:
    """
    Steps the policy of an ONNX file.

    Args:
        file: the model and its contract.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        PolicyFileError: onnxruntime cannot run the model, or what it returns does not fit the contract.
    """

    def __init__(self, file: 'OnnxFile') -> None:
        roles, self._period = file.roles, file.spec.control_period
        self._low, self._high = (np.asarray(ends) if ends else None for ends in (file.input_low, file.input_high))
        self._clip = file.action_clip
        self._frames = Frames(file.widths, file.history) if set(file.history) != {1} else None
        self._session = make_session(file.model)
        self._feeds = {
            one.name: np.zeros(one.shape, one.dtype)
            for one in (roles.observation, *(before for before, _ in roles.states), *([roles.dt] if roles.dt else []))
        }
        self._observation = self._feeds[roles.observation.name].reshape(-1)
        self._dt = self._feeds[roles.dt.name].reshape(-1) if roles.dt else None
        self._states = [self._feeds[before.name].reshape(-1) for before, _ in roles.states]
        self._outputs = [roles.action.name, *(after.name for _, after in roles.states)]
        self._memory = roles.hidden_size
        # Behind the frames is 1 once there was a first observation, so that zeros are a fresh state here too.
        self.hidden: Array = np.zeros(self._memory + (self._frames.size + 1 if self._frames else 0))
        self._try(file)

    def step(self, observation: Array, ratio: float) -> Array:
        """Advance the hidden state by one observation and return the action; on an error the state is unchanged."""
        if not np.isfinite(observation).all():
            raise ObservationError(not_finite(observation))
        frames = self._input(observation)
        if np.abs(frames).max() > _LARGEST_INPUT:
            raise ObservationError(too_large(observation))
        self._observation[:] = frames
        if self._dt is not None:
            self._dt[:] = ratio * self._period
        at = 0
        for state in self._states:
            state[:] = self.hidden[at : at + state.size]
            at += state.size
        action, after = self._run()
        if not (np.isfinite(action).all() and np.isfinite(after).all()):
            raise ObservationError(
                f'the network returns numbers that are not finite for this observation; check its units and order: '
                f'{in_one_line(observation)}.'
            )
        self.hidden[: self._memory] = after
        if self._frames is not None:
            self.hidden[self._memory : -1], self.hidden[-1] = frames, 1.0
        return action if self._clip is None else np.clip(action, *self._clip)

    def warm_up(self) -> None:
        """Take some steps; the hidden state is unchanged."""
        hidden, zero = self.hidden.copy(), np.zeros(self._observation_size)
        for _ in range(3):
            self.step(zero, 1.0)
        self.hidden[:] = hidden

    def _input(self, observation: Array) -> Array:
        if self._low is not None or self._high is not None:
            observation = np.clip(observation, self._low, self._high)
        if self._frames is None:
            return observation
        return self._frames.next(self.hidden[self._memory : -1], observation, first=not self.hidden[-1])

    def _run(self) -> tuple[Array, Array]:
        """Return the action and all hidden states in one vector."""
        try:
            found = self._session.run(self._outputs, self._feeds)
        except Exception as error:  # onnxruntime has no common class for its errors
            raise ObservationError(f'the network cannot be run: {one_line(error)}.') from error
        action, *states = [np.asarray(one, np.float64).reshape(-1) for one in found]
        return action, np.concatenate(states) if states else np.zeros(0)

    def _try(self, file: 'OnnxFile') -> None:
        """Check with one step that the model returns what the contract says."""
        spec, wanted = file.spec, file.roles.observation.size
        self._observation_size = spec.observation_dim
        given = self._frames.size if self._frames else spec.observation_dim
        if given != wanted:
            raise PolicyFileError(
                f'its network reads {wanted} numbers and its terms have {given}: {file.described_terms}. Correct the '
                "terms in the description ('observations'), their joints, or their history."
            )
        self._observation[:] = 0
        try:
            action, after = self._run()
        except ObservationError as error:
            raise PolicyFileError(str(error)) from error
        if action.size != spec.action_dim or after.size != self._memory:
            raise PolicyFileError(
                f'its network returns {action.size} actions and {after.size} numbers of hidden state; the description '
                f'has {spec.action_dim} actions ({", ".join(spec.action_names[:4])}, ...) and {self._memory} numbers.'
            )


def make_session(model: bytes) -> Any:
    """
    Return an onnxruntime session of a model that :func:`velora_ros.policy.foreign.model_checks.check` accepts.

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
    options.add_session_config_entry('session.use_env_allocators', '1')  # the one with the limit
    try:
        return runtime.InferenceSession(
            model, options, providers=['CPUExecutionProvider'],
            disabled_optimizers=['ConstantFolding'],  # it would compute without the limit
        )  # fmt: skip
    except Exception as error:
        raise PolicyFileError(f'onnxruntime {runtime.__version__} cannot run it: {one_line(error)}.') from error


@functools.cache
def _runtime() -> Any:
    """Return onnxruntime, without telemetry and with limited memory for this process."""
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
