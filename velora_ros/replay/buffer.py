"""A ring of transitions, from which contiguous sequences are drawn with the hidden state of then (R2D2, ICLR 2019)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Transition:
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
        self.rows = np.zeros((capacity, int(ends[-1])), dtype=np.float32)  # pages are touched only as it fills
        self.position = 0
        self.size = 0

    def __len__(self) -> int:
        """Return the number of transitions held."""
        return self.size

    def add(self, transition: Transition) -> None:
        """Store one transition; transitions must come in the order in which they happened."""
        row = self.rows[self.position]
        for name, column in self._columns.items():
            value = getattr(transition, name)
            if value is not None:
                row[column] = value
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
        starts = rng.integers(self.size - length + 1, size=(n_sequences, 1))
        return self._batch(starts + np.arange(length))

    def latest(self, length: int) -> Batch:
        """
        Return the newest transitions as one sequence, B = 1.

        Raises:
            ConfigError: fewer than ``length`` transitions are held.
        """
        self._check(length)
        return self._batch(np.arange(self.size - length, self.size)[None])

    def _check(self, length: int) -> None:
        if not 1 <= length <= self.size:
            raise ConfigError(f'the replay buffer holds {self.size} transitions; a sequence of {length} was asked for.')

    def _batch(self, index: npt.NDArray[np.int64]) -> Batch:
        """Gather transitions by age, 0 the oldest; index has the shape (B, L)."""
        oldest = self.position if self.size == self.capacity else 0
        rows = self.rows[(oldest + index) % self.capacity]
        part = {name: rows[..., column] for name, column in self._columns.items()}
        privileged = self._columns['state'].stop > self._columns['state'].start
        return Batch(
            observation=part['observation'],
            action=part['action'],
            reward=part['reward'][..., 0],
            terminated=part['terminated'][..., 0],
            next_observation=part['next_observation'],
            dt=part['dt'][..., 0],
            next_dt=part['next_dt'][..., 0],
            hidden=part['hidden'][:, 0],
            first=part['first'][..., 0],
            state=part['state'] if privileged else part['observation'],
            next_state=part['next_state'] if privileged else part['next_observation'],
        )
