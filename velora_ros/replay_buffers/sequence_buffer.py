"""A ring of transitions; contiguous sequences are drawn with the hidden state stored at the time (R2D2, ICLR 2019)."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.replay_buffers.replay_memory import new_rows

Array = npt.NDArray[np.float32]


class Transition(NamedTuple):
    """
    One step of the environment, as the actor saw it.

    Args:
        observation: o, shape (observation,).
        action: normalised to [-1, 1], shape (action,).
        reward: sum of the rewards over the elapsed time.
        terminated: whether o' is terminal. A truncated episode has no terminal state; its return is bootstrapped.
        next_observation: o', shape (observation,).
        dt: elapsed time before o over the nominal period, dt/T.
        next_dt: elapsed time between o and o' over the nominal period.
        hidden: the hidden state before o, shape (hidden,): the actor's part, then the part of the critics' memory.
        first: whether o is the first observation of an episode.
        state: what the critic sees with o, shape (state,); None: o.
        next_state: what the critic sees with o', shape (state,); None: o'.
    """

    observation: npt.ArrayLike
    action: npt.ArrayLike
    reward: float
    terminated: bool
    next_observation: npt.ArrayLike
    dt: float
    next_dt: float
    hidden: npt.ArrayLike
    first: bool
    state: npt.ArrayLike | None = None
    next_state: npt.ArrayLike | None = None


@dataclass(frozen=True)
class Batch:
    """
    B sequences of L contiguous transitions; float32.

    A sequence may run over the end of an episode into the next episode: ``first`` says where, and the hidden state is
    zero there. So no padding is needed. Without ``episode_share``, all transitions are drawn equally often, except the
    L - 1 oldest and the L - 1 newest.
    """

    observation: Array  # (B, L, observation)
    action: Array  # (B, L, action), in [-1, 1]
    reward: Array  # (B, L)
    terminated: Array  # (B, L), 1 or 0
    next_observation: Array  # (B, L, observation)
    dt: Array  # (B, L), dt/T before o
    next_dt: Array  # (B, L), dt/T between o and o'
    hidden: Array  # (B, hidden), before the first step
    first: Array  # (B, L), 1 where an episode starts
    state: Array  # (B, L, state), the critic's view of o
    next_state: Array  # (B, L, state)
    elapsed: Array | None = None  # (B, L), the time for the discount if next_dt is not a measured time; None: next_dt
    rows: Array | None = None  # (B, L, width), the memory that the other fields are views of; None: they have their own

    def steps(self, count: int) -> 'Batch':
        """Return the first ``count`` steps of each sequence."""
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        whole = {name for name, value in named.items() if name == 'hidden' or value is None}
        return Batch(**{name: value if name in whole else value[:, :count] for name, value in named.items()})


class SequenceBuffer:
    """
    A ring of transitions, one row each, the oldest overwritten first.

    Args:
        capacity: number of transitions kept.
        observation_dim: entries of an observation.
        action_dim: entries of an action.
        hidden_dim: entries of the hidden state of the actor and of the critics' memory together.
        state_dim: entries of the critic's privileged state; 0 means that the critic sees the observation.

    Raises:
        ConfigError: the capacity is below 1.
    """

    def __init__(
        self, capacity: int, observation_dim: int, action_dim: int, hidden_dim: int, *, state_dim: int = 0
    ) -> None:
        if capacity < 1:
            raise ConfigError(f'the replay buffer has a capacity of {capacity}; it must be at least 1 transition.')
        self.capacity = capacity
        self.columns = columns_of(observation_dim, action_dim, hidden_dim, state_dim)
        self._reward = self.columns['reward'].start
        width = self.columns['first'].stop
        self.rows = new_rows(capacity, width)
        self.position = 0
        self.size = 0
        self._added = 0  # transitions ever added: transition i has the number i
        self._starts = np.zeros(capacity, np.int64)  # a ring: numbers of the transitions that began an episode
        self._n_starts = self._n_gone = 0  # number of episodes begun, and of episodes whose start was overwritten
        self._drawn = np.empty(0)  # starts of the sequences that were drawn last, counted from the oldest transition

    def __len__(self) -> int:
        """Return the number of transitions held."""
        return self.size

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """The row of the next transition, shape (1,), as in a ``StreamBuffer`` with one stream."""
        return np.array([self.position])

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """The number of transitions held, shape (1,)."""
        return np.array([self.size])

    @property
    def added(self) -> npt.NDArray[np.int64]:
        """The number of transitions ever added, shape (1,)."""
        return np.array([self._added])

    def add(self, transition: Transition) -> None:
        """Store one transition; transitions must be added in chronological order."""
        row = self.rows[self.position]
        at = self.columns
        row[at['observation']], row[at['next_observation']] = transition.observation, transition.next_observation
        row[at['action']], row[at['hidden']] = transition.action, transition.hidden
        if transition.state is not None and transition.next_state is not None:
            row[at['state']], row[at['next_state']] = transition.state, transition.next_state
        reward = self._reward  # the last five columns, one by one, because a slice would first make an array of them
        row[reward], row[reward + 1], row[reward + 2] = transition.reward, transition.terminated, transition.dt
        row[reward + 3], row[reward + 4] = transition.next_dt, transition.first
        if transition.first:
            self._begin_episode(self._added)
        self._added += 1
        self.position = (self.position + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def restore(self, rows: Array, position: int) -> None:
        """Copy the rows of another buffer of this shape, ``rows[: len(buffer)]``, and its position."""
        self.rows[: len(rows)] = rows
        self.position, self.size, self._added = position, len(rows), len(rows)
        self._n_starts = self._n_gone = 0
        first = rows[:, self.columns['first'].start]
        for number in np.flatnonzero(np.roll(first, -position if self.size == self.capacity else 0)):
            self._begin_episode(int(number))

    def _begin_episode(self, number: int) -> None:
        self._starts[self._n_starts % self.capacity] = number
        self._n_starts += 1
        self._n_gone = max(self._n_gone, self._n_starts - self.capacity)  # older starts are overwritten

    def sample(
        self,
        n_sequences: int,
        length: int,
        rng: np.random.Generator,
        *,
        episode_share: float = 0.0,
        into: Batch | None = None,
    ) -> Batch:
        """
        Draw sequences with replacement, uniformly over their starts, or a share of them uniformly over episodes.

        Args:
            n_sequences: number of sequences, B.
            length: number of steps of a sequence, L, including the burn-in.
            rng: the only random generator that is used.
            episode_share: share of the sequences for which an episode is drawn first, each with the same probability,
                and then a start in it. Short episodes are then drawn as often as long ones.
            into: a batch from :meth:`empty_batch` of this size, which is overwritten and returned; None: a new one with
                its own memory. Making arrays takes longer than filling them.

        Raises:
            ConfigError: fewer than ``length`` transitions are held.
            ValueError: ``into`` is of another size, or its fields are not views of its rows, as in a copy.
        """
        self._check(length)
        starts = rng.random(n_sequences) * (self.size - length + 1)  # a third of the time that integers() takes
        if n_balanced := round(episode_share * n_sequences):
            self._balance(starts[:n_balanced], length, rng)
        batch = self.empty_batch(n_sequences, length) if into is None else into
        rows = batch.rows
        if rows is None or rows.shape != (n_sequences, length, self.rows.shape[1]) or batch.reward.base is not rows:
            raise ValueError(f'into is not a batch of empty_batch({n_sequences}, {length}); make one of this size.')
        gather(self.rows, self._oldest, starts, rows)
        self._drawn = starts
        return batch

    def refresh(self, states: Array, skipped: int) -> None:
        """
        Replace the stored hidden states of the sequences that were drawn last, so that they do not get out of date.

        The hidden state after a step is stored with the next transition, unless that begins an episode. The part of the
        critics' memory does not change.

        Args:
            states: the actor's hidden states after the steps, shape (L, hidden, B).
            skipped: number of steps of each sequence before the first of these states, such as a burn-in.
        """
        begins, column = self.columns['first'].start, self.columns['hidden'].start
        scatter_states(self.rows, self._oldest, self.size, self._drawn, states, skipped + 1, column, begins)

    def _balance(self, starts: npt.NDArray[np.float64], length: int, rng: np.random.Generator) -> None:
        """Draw episodes and a step of each; overwrite starts so that each sequence has such a step in its middle."""
        oldest = self._added - self.size
        while self._n_gone < self._n_starts and self._starts[self._n_gone % self.capacity] < oldest:
            self._n_gone += 1
        n_episodes = self._n_starts - self._n_gone
        if n_episodes == 0:  # one episode fills the replay, and its start has been overwritten
            return
        drawn = self._n_gone + (rng.random(len(starts)) * n_episodes).astype(np.int64)
        begin = self._starts[drawn % self.capacity] - oldest
        following = self._starts[(drawn + 1) % self.capacity] - oldest
        end = np.where(drawn + 1 < self._n_starts, following, self.size)
        place = begin + rng.random(len(starts)) * (end - begin)
        starts[:] = (place - length // 2).clip(0, self.size - length)

    def latest(self, length: int) -> Batch:
        """
        Return the newest transitions as one sequence, B = 1.

        Raises:
            ConfigError: fewer than ``length`` transitions are held.
        """
        self._check(length)
        batch = self.empty_batch(1, length)
        gather(self.rows, self._oldest, np.array([self.size - length], np.float64), batch.rows)
        return batch

    def observations_and_states(self) -> tuple[Array, Array]:
        """Return all observations held, shape (N, observation), and what the critic sees with them, (N, state)."""
        seen = self.latest(len(self))
        return seen.observation[0], seen.state[0]

    def rewards_and_terminations(self) -> tuple[Array, Array]:
        """Return all rewards held, and 1 where an episode terminated, each of shape (N,), in no particular order."""
        held, reward = self.rows[: self.size], self._reward
        return held[:, reward], held[:, reward + 1]

    def longest(self) -> int:
        """Return the number of transitions that can be drawn in one sequence."""
        return self.size

    def spread(self, n_sequences: int, length: int) -> tuple[Batch, Array, Array]:
        """
        Return evenly spaced sequences, oldest to newest, each with the hidden state that follows it.

        Args:
            n_sequences: number of sequences, B.
            length: number of steps of a sequence, L, at least 1.

        Returns:
            the sequences; the hidden state that was stored with the transition after each, shape (B, hidden); and 1
            where that transition began an episode, shape (B,).

        Raises:
            ConfigError: no more than ``length`` transitions are held.
        """
        self._check(length + 1)
        batch = self.empty_batch(n_sequences, length + 1)
        rows = batch.rows
        assert rows is not None
        gather(self.rows, self._oldest, np.linspace(0, self.size - length - 1, n_sequences), rows)
        stored, begins = rows[:, length, self.columns['hidden']], rows[:, length, self.columns['first'].start]
        return batch.steps(length), stored, begins

    def _check(self, length: int) -> None:
        if not 1 <= length <= self.size:
            raise ConfigError(
                f'a sequence of {length} transitions was requested, but the replay buffer holds {self.size}; request 1 '
                f'to {self.size}, or add transitions first.'
            )

    @property
    def _oldest(self) -> int:
        """The row of the oldest transition."""
        return self.position if self.size == self.capacity else 0

    def empty_batch(self, n_sequences: int, length: int) -> Batch:
        """Return memory for :meth:`sample`: a batch with arbitrary values, of B sequences of L steps."""
        return empty_batch(self.columns, n_sequences, length)


def columns_of(observation_dim: int, action_dim: int, hidden_dim: int, state_dim: int) -> dict[str, slice]:
    """Return the columns of each field of a transition in its row; ``first`` is the last."""
    widths = {
        'observation': observation_dim,
        'next_observation': observation_dim,
        'action': action_dim,
        'hidden': hidden_dim,
        'state': state_dim,
        'next_state': state_dim,
        'reward': 1,
        'terminated': 1,
        'dt': 1,
        'next_dt': 1,
        'first': 1,
    }
    ends = np.cumsum(list(widths.values()))
    return {name: slice(int(end - width), int(end)) for (name, width), end in zip(widths.items(), ends, strict=True)}


def empty_batch(columns: dict[str, slice], n_sequences: int, length: int) -> Batch:
    """Return memory for B sequences of L rows with these columns."""
    at = columns
    rows = np.empty((n_sequences, length, at['first'].stop), np.float32)
    observation, next_observation = rows[:, :, at['observation']], rows[:, :, at['next_observation']]
    privileged = at['state'].stop > at['state'].start
    return Batch(
        observation=observation,
        action=rows[:, :, at['action']],
        reward=rows[:, :, at['reward'].start],
        terminated=rows[:, :, at['terminated'].start],
        next_observation=next_observation,
        dt=rows[:, :, at['dt'].start],
        next_dt=rows[:, :, at['next_dt'].start],
        hidden=rows[:, 0, at['hidden']],
        first=rows[:, :, at['first'].start],
        state=rows[:, :, at['state']] if privileged else observation,
        next_state=rows[:, :, at['next_state']] if privileged else next_observation,
        rows=rows,
    )


@kernel
def gather(ring: Array, oldest: int, starts: npt.NDArray[np.float64], rows: Array) -> None:
    """Copy rows of the ring to rows, shape (B, L, width); starts count from the oldest and are rounded down."""
    n_sequences, length, width = rows.shape
    for b in range(n_sequences):
        begin = oldest + int(starts[b])
        for t in range(length):
            source = begin + t if begin + t < len(ring) else begin + t - len(ring)
            for column in range(width):
                rows[b, t, column] = ring[source, column]


@kernel
def scatter_states(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    ring: Array, oldest: int, size: int, starts: npt.NDArray[np.float64], states: Array, offset: int, column: int,
    begins: int,
) -> None:  # fmt: skip
    """
    Copy hidden states to rows of the ring, except rows that begin an episode and rows without a transition.

    Args:
        ring: shape (capacity, width).
        oldest: the row of the oldest transition.
        size: number of transitions held.
        starts: first steps of the sequences, counted from the oldest and rounded down, shape (B,).
        states: shape (L, hidden, B).
        offset: steps from the start of a sequence to the row of its first state.
        column: the first column of the hidden state.
        begins: the column that is 1 where an episode begins.
    """
    length, n_hidden, n_sequences = states.shape
    for b in range(n_sequences):
        begin = int(starts[b]) + offset
        for t in range(min(length, size - begin)):
            row = (oldest + begin + t) % len(ring)
            if ring[row, begins] == 0:
                for i in range(n_hidden):
                    ring[row, column + i] = states[t, i, b]
