"""Replay of many environments at once: one ring of transitions for each stream; sequences never cross streams."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.replay_buffers.replay_memory import new_rows
from velora_ros.replay_buffers.sequence_buffer import Array, Batch, Transition, columns_of, empty_batch

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


class Transitions(NamedTuple):
    """
    One step of n environments: the fields of :class:`velora_ros.replay_buffers.Transition`, with n rows each.

    Args:
        observation: shape (n, observation).
        action: shape (n, action).
        reward: shape (n,).
        terminated: shape (n,).
        next_observation: shape (n, observation).
        dt: shape (n,).
        next_dt: shape (n,).
        hidden: shape (n, hidden).
        first: shape (n,).
        state: shape (n, state); None: the observation.
        next_state: shape (n, state); None: the observation.
    """

    observation: npt.NDArray[np.floating]
    action: npt.NDArray[np.floating]
    reward: npt.NDArray[np.floating]
    terminated: Flags
    next_observation: npt.NDArray[np.floating]
    dt: npt.NDArray[np.floating]
    next_dt: npt.NDArray[np.floating]
    hidden: npt.NDArray[np.floating]
    first: Flags
    state: npt.NDArray[np.floating] | None = None
    next_state: npt.NDArray[np.floating] | None = None

    def of(self, stream: int) -> Transition:
        """Return the transition of one stream."""
        return Transition(
            self.observation[stream], self.action[stream], float(self.reward[stream]), bool(self.terminated[stream]),
            self.next_observation[stream], float(self.dt[stream]), float(self.next_dt[stream]), self.hidden[stream],
            bool(self.first[stream]),
            None if self.state is None else self.state[stream],
            None if self.next_state is None else self.next_state[stream],
        )  # fmt: skip


class StreamBuffer:
    """
    Rings of transitions, one for each of n streams, each with its own oldest transition.

    Args:
        capacity: number of transitions kept, over all streams; it is split evenly and rounded down.
        n_streams: number of streams, n.
        observation_dim: entries of an observation.
        action_dim: entries of an action.
        hidden_dim: entries of the hidden state of the actor and of the critics' memory together.
        state_dim: entries of the critic's privileged state; 0 means that the critic sees the observation.

    Raises:
        ConfigError: a stream would keep no transition.
    """

    def __init__(
        self,
        capacity: int,
        n_streams: int,
        observation_dim: int,
        action_dim: int,
        hidden_dim: int,
        *,
        state_dim: int = 0,
    ) -> None:
        if capacity < n_streams:
            raise ConfigError(
                f'buffer_size is {capacity}, too small for {n_streams} environments: each must hold at least one '
                'sequence of transitions. Raise buffer_size.'
            )
        self.columns = columns_of(observation_dim, action_dim, hidden_dim, state_dim)
        self.capacity = capacity // n_streams
        """Number of transitions kept for each stream."""
        width = self.columns['first'].stop
        self.rows = new_rows(n_streams, self.capacity, width)
        self._newest = np.zeros((n_streams, width), np.float32)  # the newest rows, before they go to the rings
        self.positions = np.zeros(n_streams, np.int64)
        self.sizes = np.zeros(n_streams, np.int64)
        self.added = np.zeros(n_streams, np.int64)
        """Number of transitions ever added to each stream."""

    def __len__(self) -> int:
        """Return the number of transitions held, over all streams."""
        return int(self.sizes.sum())

    def add(self, transitions: Transitions, taken: Flags | None = None) -> None:
        """
        Store one transition of each stream.

        Args:
            transitions: the transitions of all n streams.
            taken: False for streams that took no step, for example during their reset, shape (n,). None: all took a
                step.
        """
        streams = np.arange(len(self.rows)) if taken is None else np.flatnonzero(taken)
        places, at = self.positions[streams], self.columns
        for name, values in transitions._asdict().items():
            if values is not None and at[name].stop > at[name].start:
                self._newest[:, at[name]] = values if values.ndim == 2 else values[:, None]
        self.rows[streams, places] = self._newest if taken is None else self._newest[streams]
        self.positions[streams] = (places + 1) % self.capacity
        self.sizes[streams] = np.minimum(self.sizes[streams] + 1, self.capacity)
        self.added[streams] += 1

    def sample(self, n_sequences: int, length: int, rng: np.random.Generator, *, into: Batch | None = None) -> Batch:
        """
        Draw sequences with replacement, uniformly over all possible starts.

        Args:
            n_sequences: number of sequences, B.
            length: number of steps of a sequence, L, including the burn-in.
            rng: the only random generator that is used.
            into: a batch from :meth:`empty_batch` of this size, which is overwritten and returned; None: a new one.

        Raises:
            ConfigError: no stream holds ``length`` transitions.
        """
        batch = self.empty_batch(n_sequences, length) if into is None else into
        places = rng.random(n_sequences)
        self._gather(places, length, batch.rows)
        return batch

    def observations_and_states(self) -> tuple[Array, Array]:
        """Return all observations held, shape (N, observation), and what the critic sees with them, (N, state)."""
        held = self._held()
        observation = held[:, self.columns['observation']]
        state = held[:, self.columns['state']]
        return observation, state if state.shape[1] else observation

    def rewards_and_terminations(self) -> tuple[Array, Array]:
        """Return all rewards held, and 1 where an episode terminated, each of shape (N,), in no particular order."""
        held = self._held()
        return held[:, self.columns['reward'].start], held[:, self.columns['terminated'].start]

    def _held(self) -> Array:
        return np.concatenate([ring[:size] for ring, size in zip(self.rows, self.sizes, strict=True)])

    def spread(self, n_sequences: int, length: int) -> tuple[Batch, Array, Array]:
        """Return sequences evenly spaced over all possible starts; see :meth:`SequenceBuffer.spread`."""
        batch = self.empty_batch(n_sequences, length + 1)
        self._gather(np.linspace(0, 1, n_sequences, endpoint=False), length + 1, batch.rows)
        assert batch.rows is not None
        stored, begins = batch.rows[:, length, self.columns['hidden']], batch.rows[:, length, self.columns['first']]
        return batch.steps(length), stored, begins[:, 0]

    def longest(self) -> int:
        """Return the number of transitions of the stream that holds the most."""
        return int(self.sizes.max())

    def empty_batch(self, n_sequences: int, length: int) -> Batch:
        """Return memory for :meth:`sample` to draw into: a batch whose values are arbitrary."""
        return empty_batch(self.columns, n_sequences, length)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the data for :meth:`restore`: all rows held, positions and sizes."""
        return {
            'rows': self.rows[:, : self.longest()],
            'positions': self.positions.copy(),
            'sizes': self.sizes.copy(),
        }

    def restore(self, rows: Array, positions: Integers, sizes: Integers) -> None:
        """Restore the result of :meth:`state` of another buffer of this shape."""
        self.rows[:, : rows.shape[1]] = rows
        self.positions[:], self.sizes[:], self.added[:] = positions, sizes, sizes

    def _gather(self, places: npt.NDArray[np.float64], length: int, rows: Array | None) -> None:
        """Fill rows, (B, L, width), with the sequences at ``places``, fractions of the number of possible starts."""
        starts = np.maximum(self.sizes - length + 1, 0).cumsum()
        if not starts[-1]:
            raise ConfigError(
                f'a sequence of {length} transitions was requested, but the replay holds at most {self.longest()} of '
                'one environment; request a shorter one, or add transitions first.'
            )
        assert rows is not None
        oldest = np.where(self.sizes == self.capacity, self.positions, 0)
        gather_streams(self.rows, oldest, starts, places * starts[-1], rows)


@kernel
def gather_streams(
    rings: Array, oldest: Integers, ends: Integers, places: npt.NDArray[np.float64], rows: Array
) -> None:
    """
    Copy sequences to rows, shape (B, L, width).

    Args:
        rings: shape (n, capacity, width).
        oldest: the row of each stream's oldest transition, shape (n,).
        ends: number of possible starts in all streams up to and including each stream, shape (n,).
        places: indices of the starts among all possible starts, rounded down, shape (B,).
        rows: the array that is written.
    """
    n_sequences, length, width = rows.shape
    capacity = rings.shape[1]
    for b in range(n_sequences):
        place = int(places[b])
        stream = np.searchsorted(ends, place, side='right')
        begin = oldest[stream] + place - (ends[stream - 1] if stream > 0 else 0)
        for t in range(length):
            source = (begin + t) % capacity
            for column in range(width):
                rows[b, t, column] = rings[stream, source, column]
