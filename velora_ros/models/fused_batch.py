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

    def one(self, values: Array) -> Array:
        """Map shape (n,)."""
        mapped: Array = (values - self.offset) * self.scale
        return mapped

    def steps(self, values: Array) -> Array:
        """Map shape (B, L, n) to (L, n, B)."""
        n_sequences, length, size = values.shape
        out = np.empty((length, size, n_sequences), np.float32)
        normalise(values, self.offset, self.scale, out)
        return out

    def columns(self, values: Array) -> Array:
        """Map shape (B, L, n) to (n, L * B)."""
        n_sequences, length, size = values.shape
        out = np.empty((size, length, n_sequences), np.float32)
        normalise(values, self.offset, self.scale, out.transpose(1, 0, 2))
        return out.reshape(size, -1)


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
        n_sequences, length = batch.dt.shape
        self.burn_in, self.shape = burn_in, (length - burn_in, n_sequences)
        self.observation = observed.steps(batch.observation)
        self.dt, self.first = np.ascontiguousarray(batch.dt.T), np.ascontiguousarray(batch.first.T)
        hidden = np.ascontiguousarray(batch.hidden.T)
        self.hidden, self.memory = hidden[:size], hidden[size:]
        self.state = seen.columns(batch.state[:, burn_in:])
        self.next_state = seen.columns(batch.next_state[:, burn_in:])
        self.action = columns(batch.action[:, burn_in:].transpose(1, 2, 0))
        self._next_observation = observed.columns(batch.next_observation[:, burn_in:])[None]
        self._next_dt = np.ascontiguousarray(batch.next_dt[:, burn_in:].T).reshape(1, -1)
        self._never = np.zeros_like(self._next_dt)

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
        return self._next_observation, self.with_loss(states), self._next_dt, self._never


def columns(steps: Array) -> Array:
    """Return shape (L, n, B) as (n, L * B)."""
    return np.ascontiguousarray(steps.transpose(1, 0, 2)).reshape(steps.shape[1], -1)


@kernel
def normalise(values: Array, offset: Array, scale: Array, out: Array) -> None:
    """Set out, shape (L, n, B), to (values - offset) * scale, shape (B, L, n)."""
    length, size, n_sequences = out.shape
    for i in range(size):
        for t in range(length):
            for b in range(n_sequences):
                out[t, i, b] = (values[b, t, i] - offset[i]) * scale[i]
