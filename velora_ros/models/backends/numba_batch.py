"""A batch in the layout of the compiled loops: by step for recurrent networks, a column per step for critics."""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.models.normaliser import Normaliser
from velora_ros.replay_buffers import Batch

Array = npt.NDArray[np.float32]


class NormaliserView:
    """A normaliser in numpy, on views of torch's buffers, which change in place when it is frozen or loaded."""

    def __init__(self, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self.bind()

    def bind(self) -> None:
        """Use the normaliser's current buffers; calls such as ``networks.to`` replace them."""
        self.offset, self.scale = self._normaliser.offset.numpy(), self._normaliser.scale.numpy()

    def __call__(self, values: Array) -> Array:
        """Normalise values, shape (..., n)."""
        mapped: Array = (values - self.offset) * self.scale
        return mapped


class BatchLayout:
    """
    Memory for a batch of B sequences of L steps, normalised and laid out; created once and filled by every update.

    Recurrent networks get steps, shape (L, n, B). Critics get M columns, shape (n, M): column t * B + b is step t of
    sequence b, without the burn-in. Their rows are [state; memory; action], so that nothing needs to be joined: the
    batch fills in what it has, the networks fill in the rest.

    Args:
        batch: a batch of the shape that will be filled in.
        size: entries of the actor's hidden state; what follows it in the batch is the critics' memory.
        burn_in: steps without loss at the start of each sequence.
    """

    def __init__(self, batch: Batch, size: int, burn_in: int) -> None:
        n_sequences, length, n_observations = batch.observation.shape
        n_states, n_actions = batch.state.shape[2], batch.action.shape[2]
        self.source = batch  # its rewards, terminations and times are read directly
        self.burn_in, n_columns = burn_in, (length - burn_in) * n_sequences
        self.observation = np.empty((length, n_observations, n_sequences), np.float32)
        self.dt, self.first = np.empty((2, length, n_sequences), np.float32)
        self._hidden = np.empty((batch.hidden.shape[1], n_sequences), np.float32)
        self.hidden, self.memory = self._hidden[:size], self._hidden[size:]
        n_memory = len(self.memory)
        self.n_seen = n_states + n_memory  # input of the critics, before the action
        self.inputs, self.next_inputs = np.empty((2, self.n_seen + n_actions, n_columns), np.float32)
        self.memory_rows, self.action_rows = self.inputs[n_states : self.n_seen], self.inputs[self.n_seen :]
        self.next_memory_rows, self.next_action_rows = (
            self.next_inputs[n_states : self.n_seen], self.next_inputs[self.n_seen :],
        )  # fmt: skip
        # The targets' last step, on o': one step of M sequences, in which no episode starts.
        self.next_observation = np.empty((1, n_observations, n_columns), np.float32)
        self.next_dt, self.never = np.zeros((2, 1, n_columns), np.float32)
        self.after = np.empty((size, n_columns), np.float32)
        self.policy_rows = np.empty((n_actions, n_columns), np.float32)  # the target actor's actions on o
        self.memory_after = np.empty((n_memory, n_columns), np.float32)
        # Derivatives by step; they stay zero in the burn-in.
        self.d_motor = np.zeros((length, n_actions, n_sequences), np.float32)
        self.d_memory = np.zeros((length, n_memory, n_sequences), np.float32)

    def fill(self, batch: Batch, observed: NormaliserView, seen: NormaliserView) -> None:
        """Copy a batch; observations are normalised by ``observed``, the critics' states by ``seen``."""
        self.source = batch
        arrange(
            batch.observation, batch.dt, batch.first, batch.hidden, observed.offset, observed.scale,
            self.observation, self.dt, self.first, self._hidden,
            batch.next_observation, batch.state, batch.next_state, batch.action, batch.next_dt, self.burn_in,
            seen.offset, seen.scale,
            self.next_observation[0], self.next_dt[0], self.inputs, self.next_inputs, self.n_seen,
        )  # fmt: skip


@kernel
def arrange(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    observation: Array, dt: Array, first: Array, hidden: Array, offset: Array, scale: Array,
    to_observation: Array, to_dt: Array, to_first: Array, to_hidden: Array,
    next_observation: Array, state: Array, next_state: Array, action: Array, next_dt: Array, burn_in: int,
    state_offset: Array, state_scale: Array,
    to_next_observation: Array, to_next_dt: Array, inputs: Array, next_inputs: Array, n_seen: int,
) -> None:  # fmt: skip
    """
    Lay out a batch.

    What the recurrent networks read goes from (B, L, n), normalised, to (L, n, B) and from (B, n) to (n, B); what the
    critics read, without the burn-in, to (n, M).
    """
    n_sequences, length, n_observations = observation.shape
    for b in range(n_sequences):
        for i in range(hidden.shape[1]):
            to_hidden[i, b] = hidden[b, i]
        for t in range(length):
            to_dt[t, b], to_first[t, b] = dt[b, t], first[b, t]
            for i in range(n_observations):
                to_observation[t, i, b] = (observation[b, t, i] - offset[i]) * scale[i]
        for t in range(burn_in, length):
            n = (t - burn_in) * n_sequences + b
            to_next_dt[n] = next_dt[b, t]
            for i in range(n_observations):
                to_next_observation[i, n] = (next_observation[b, t, i] - offset[i]) * scale[i]
            for i in range(state_offset.size):
                inputs[i, n] = (state[b, t, i] - state_offset[i]) * state_scale[i]
                next_inputs[i, n] = (next_state[b, t, i] - state_offset[i]) * state_scale[i]
            for i in range(action.shape[2]):
                inputs[n_seen + i, n] = action[b, t, i]


@kernel
def to_columns(steps: Array, burn_in: int, columns: Array) -> None:
    """Copy steps, shape (L, n, B), to columns, shape (n, M), without the burn-in."""
    length, size, n_sequences = steps.shape
    for t in range(burn_in, length):
        start = (t - burn_in) * n_sequences
        for i in range(size):
            for b in range(n_sequences):
                columns[i, start + b] = steps[t, i, b]


@kernel
def to_steps(columns: Array, burn_in: int, steps: Array) -> None:
    """Copy columns, shape (n, M), to steps, shape (L, n, B); the burn-in stays unchanged."""
    length, size, n_sequences = steps.shape
    for t in range(burn_in, length):
        start = (t - burn_in) * n_sequences
        for i in range(size):
            for b in range(n_sequences):
                steps[t, i, b] = columns[i, start + b]
