"""A batch as the compiled loops want it: for the recurrent networks by step, for the critics a column to each step."""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.compiling import kernel
from velora_ros.models.networks import Normaliser
from velora_ros.replay import Batch

Array = npt.NDArray[np.float32]


class Affine:
    """A normaliser on views of its buffers, which change in place when it is frozen or loaded."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.offset, self.scale = normaliser.offset.numpy(), normaliser.scale.numpy()

    def __call__(self, values: Array) -> Array:
        """Map shape (n,)."""
        mapped: Array = (values - self.offset) * self.scale
        return mapped


class Arranged:
    """
    A batch of B sequences of L steps, normalised and laid out.

    Recurrent networks get steps, shape (L, n, B). Critics get columns, shape (n, M): column t * B + b is step t of
    sequence b, without the burn-in.

    Args:
        batch: sequences from the replay.
        observed: the observations' normaliser.
        seen: the normaliser of what the critic sees.
        size: entries of the actor's hidden state; what follows it in the batch is the critics' memory.
        burn_in: steps without loss at the start of each sequence.
    """

    def __init__(self, batch: Batch, observed: Affine, seen: Affine, size: int, burn_in: int) -> None:
        n_sequences, length, n_observations = batch.observation.shape
        self.burn_in, self.shape = burn_in, (length - burn_in, n_sequences)
        n_states, n_actions = batch.state.shape[2], batch.action.shape[2]
        self.observation = np.empty((length, n_observations, n_sequences), np.float32)
        self.dt, self.first = np.empty((2, length, n_sequences), np.float32)
        hidden = np.empty((batch.hidden.shape[1], n_sequences), np.float32)
        self.hidden, self.memory = hidden[:size], hidden[size:]
        next_observation = np.empty((n_observations, *self.shape), np.float32)
        state, next_state = np.empty((2, n_states, *self.shape), np.float32)
        action = np.empty((n_actions, *self.shape), np.float32)
        next_dt, never = np.zeros((2, *self.shape), np.float32)
        arrange_steps(
            batch.observation, batch.dt, batch.first, batch.hidden, observed.offset, observed.scale,
            self.observation, self.dt, self.first, hidden,
        )  # fmt: skip
        arrange_columns(
            batch.next_observation, batch.state, batch.next_state, batch.action, batch.next_dt, burn_in,
            observed.offset, observed.scale, seen.offset, seen.scale,
            next_observation, state, next_state, action, next_dt,
        )  # fmt: skip
        self.state, self.next_state, self.action = (x.reshape(len(x), never.size) for x in (state, next_state, action))
        self._following = (
            next_observation.reshape(1, n_observations, never.size), next_dt.reshape(1, -1), never.reshape(1, -1),
        )  # fmt: skip

    def with_loss(self, steps: Array) -> Array:
        """Return steps as columns, the burn-in left out."""
        return columns(steps[self.burn_in :])

    def padded(self, values: Array) -> Array:
        """Return columns as steps, zero in the burn-in."""
        steps = np.zeros((self.burn_in + self.shape[0], len(values), self.shape[1]), np.float32)
        steps[self.burn_in :] = values.reshape(len(values), *self.shape).transpose(1, 0, 2)
        return steps

    def following(self, states: Array) -> tuple[Array, Array, Array, Array]:
        """Return the arguments with which to go one step on, from each state after o, shape (L, n, B), to o'."""
        next_observation, next_dt, never = self._following
        return next_observation, self.with_loss(states), next_dt, never


def columns(steps: Array) -> Array:
    """Return shape (L, n, B) as (n, L * B)."""
    return np.ascontiguousarray(steps.transpose(1, 0, 2)).reshape(steps.shape[1], -1)


@kernel
def arrange_steps(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    observation: Array, dt: Array, first: Array, hidden: Array, offset: Array, scale: Array,
    to_observation: Array, to_dt: Array, to_first: Array, to_hidden: Array,
) -> None:  # fmt: skip
    """Lay out what the recurrent networks read: from (B, L, n), normalised, to (L, n, B), from (B, n) to (n, B)."""
    n_sequences, length, n_observations = observation.shape
    for t in range(length):
        for b in range(n_sequences):
            to_dt[t, b], to_first[t, b] = dt[b, t], first[b, t]
            for i in range(n_observations):
                to_observation[t, i, b] = (observation[b, t, i] - offset[i]) * scale[i]
    for b in range(n_sequences):
        for i in range(hidden.shape[1]):
            to_hidden[i, b] = hidden[b, i]


@kernel
def arrange_columns(  # noqa: PLR0917
    next_observation: Array, state: Array, next_state: Array, action: Array, next_dt: Array, burn_in: int,
    offset: Array, scale: Array, state_offset: Array, state_scale: Array,
    to_next_observation: Array, to_state: Array, to_next_state: Array, to_action: Array, to_next_dt: Array,
) -> None:  # fmt: skip
    """Lay out what the critics read, without the burn-in: from (B, L, n), normalised, to (n, L, B)."""
    length, n_sequences = to_next_dt.shape
    for t in range(length):
        for b in range(n_sequences):
            step = t + burn_in
            to_next_dt[t, b] = next_dt[b, step]
            for i in range(offset.size):
                to_next_observation[i, t, b] = (next_observation[b, step, i] - offset[i]) * scale[i]
            for i in range(state_offset.size):
                to_state[i, t, b] = (state[b, step, i] - state_offset[i]) * state_scale[i]
                to_next_state[i, t, b] = (next_state[b, step, i] - state_offset[i]) * state_scale[i]
            for i in range(action.shape[2]):
                to_action[i, t, b] = action[b, step, i]
