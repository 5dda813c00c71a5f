"""A ring of transitions, from which contiguous sequences are drawn with the hidden state of then (R2D2, ICLR 2019)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.liquid.compiling import kernel

Array = npt.NDArray[np.float32]


class Transition(NamedTuple):
    """
    One step of the environment, as the actor saw it.

    Args:
        observation: o, shape (observation,).
        action: normalised to [-1, 1], shape (action,).
        reward: sum over the elapsed time.
        terminated: the episode ended in a terminal state; a truncation is *not* one, its return is bootstrapped.
        next_observation: o', shape (observation,).
        dt: elapsed time before o over the nominal period, dt/T.
        next_dt: elapsed time between o and o' over the nominal period.
        hidden: the actor's hidden state before it saw o, shape (hidden,).
        first: o is the first observation of an episode.
        state: what the critic sees with o, shape (state,); None: the observation.
        next_state: what the critic sees with o', shape (state,); None: the observation.
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

    A sequence may run over the end of an episode into the next one: ``first`` says where, and the hidden state is zero
    there. So every transition of the buffer is drawn equally often, and no padding is needed.
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
    elapsed: Array | None = None  # (B, L), what the discount counts where next_dt is no measured time; None: next_dt


class SequenceBuffer:
    """
    A ring of transitions, one row each, the oldest overwritten first.

    Args:
        capacity: number of transitions kept.
        observation_dim: entries of an observation.
        action_dim: entries of an action.
        hidden_dim: entries of the actor's hidden state.
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
        self._columns = {
            name: slice(int(end - width), int(end)) for (name, width), end in zip(widths.items(), ends, strict=True)
        }
        self._scalars = slice(self._columns['reward'].start, None)  # the last five, in this order
        self.rows = np.zeros((capacity, int(ends[-1])), dtype=np.float32)  # pages are touched only as it fills
        self.position = 0
        self.size = 0

    def __len__(self) -> int:
        """Return the number of transitions held."""
        return self.size

    def add(self, transition: Transition) -> None:
        """Store one transition; transitions must come in the order in which they happened."""
        row = self.rows[self.position]
        at = self._columns
        row[at['observation']], row[at['next_observation']] = transition.observation, transition.next_observation
        row[at['action']], row[at['hidden']] = transition.action, transition.hidden
        if transition.state is not None and transition.next_state is not None:
            row[at['state']], row[at['next_state']] = transition.state, transition.next_state
        row[self._scalars] = (
            transition.reward, transition.terminated, transition.dt, transition.next_dt, transition.first,
        )  # fmt: skip
        self.position = (self.position + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def sample(self, n_sequences: int, length: int, rng: np.random.Generator) -> Batch:
        """
        Draw sequences, uniformly over their starts and with replacement.

        Args:
            n_sequences: B.
            length: L, burn-in included.
            rng: the only source of chance.

        Raises:
            ConfigError: fewer than ``length`` transitions are held.
        """
        self._check(length)
        starts = rng.random(n_sequences) * (self.size - length + 1)  # a third of the time that integers() takes
        return self._batch(starts.astype(np.int64), length)

    def latest(self, length: int) -> Batch:
        """
        Return the newest transitions as one sequence, B = 1.

        Raises:
            ConfigError: fewer than ``length`` transitions are held.
        """
        self._check(length)
        return self._batch(np.array([self.size - length]), length)

    def _check(self, length: int) -> None:
        if not 1 <= length <= self.size:
            raise ConfigError(f'the replay buffer holds {self.size} transitions; a sequence of {length} was asked for.')

    def _batch(self, starts: npt.NDArray[np.int64], length: int) -> Batch:
        """Gather sequences that start at the ages given, 0 the oldest, shape (B,)."""
        oldest = self.position if self.size == self.capacity else 0
        rows = np.empty((len(starts), length, self.rows.shape[1]), np.float32)
        gather(self.rows, oldest, starts, rows)
        at = self._columns
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
        )


@kernel
def gather(ring: Array, oldest: int, starts: npt.NDArray[np.int64], rows: Array) -> None:
    """Copy contiguous rows of the ring, counted from the oldest, to rows, shape (B, L, width)."""
    n_sequences, length, width = rows.shape
    for b in range(n_sequences):
        for t in range(length):
            source = (oldest + starts[b] + t) % len(ring)
            for column in range(width):
                rows[b, t, column] = ring[source, column]
