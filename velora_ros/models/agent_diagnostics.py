"""The agent's measurements of its own learning: the error of Q, and the staleness of stored hidden states."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from velora_ros.models.backends.protocol import Backend
from velora_ros.replay_buffers import SequenceBuffer, StreamBuffer

PLACES, UNROLLED = 16, 64
"""Number of stored hidden states to compare with new ones, and number of steps to compute each new one."""
HALF = 0.5


class Outcome:
    """The discounted return of the current episode and the Q of its start, which is NaN before the first episode."""

    def __init__(self) -> None:
        self.expected, self._total, self.discount = math.nan, 0.0, 1.0

    def begin(self, expected: float) -> None:
        """Begin an episode; ``expected`` is Q of its first state and action, NaN before the first update."""
        self.expected, self._total, self.discount = expected, 0.0, 1.0

    def add(self, reward: float, gamma: float, elapsed: float) -> None:
        """Add a step's scaled reward; ``elapsed`` is dt'/T to the next step."""
        self._total += self.discount * reward
        self.discount *= gamma**elapsed

    def state(self) -> list[float | None]:
        """Return the state of the measurement for :meth:`restore`, JSON-ready."""
        return [None if math.isnan(self.expected) else self.expected, self._total, self.discount]

    def restore(self, state: list[float | None]) -> None:
        """Continue an episode from the output of :meth:`state`."""
        expected, total, discount = (math.nan if value is None else value for value in state)
        self.expected, self._total, self.discount = expected, total, discount

    def end(self, rest: float) -> dict[str, float]:
        """
        Return Q at the start of the episode and how much higher it was than the actual return, by name.

        Args:
            rest: Q of the last state of a truncated episode; 0 after a termination.
        """
        return {'q_start': self.expected, 'q_bias': self.expected - self._total - self.discount * rest}


def hidden_staleness(
    backend: Backend, buffer: SequenceBuffer | StreamBuffer, remembers: npt.NDArray[np.bool_], *, dt_input: bool
) -> float:
    """
    Return the distance between stored and current hidden states, divided by the magnitude of the current states.

    The compared steps are spread evenly over the replay. The network runs over the steps before each of them, from the
    start of the episode if that is among these steps, otherwise from the stored state.

    Args:
        backend: computes the new hidden states.
        buffer: the replay.
        remembers: True for entries of the hidden state that the next step reads, shape (hidden,).
        dt_input: whether the networks read the elapsed time.

    Returns:
        NaN where there is nothing to compare.
    """
    length = min(UNROLLED, buffer.longest() - 1)
    if length < 1 or not remembers.any():
        return math.nan
    batch, stored, begins = buffer.spread(PLACES, length)
    if not dt_input:
        batch = dataclasses.replace(batch, dt=np.ones_like(batch.dt))
    present = backend.states(batch)[begins == 0][:, remembers]
    size = float(np.linalg.norm(present))
    return float(np.linalg.norm(present - stored[begins == 0][:, remembers])) / size if size else math.nan


def warning_of_rewards(reward: npt.NDArray[np.float32], terminated: npt.NDArray[np.float32]) -> str:
    """
    Return a warning if a policy could gain by ending its episodes early, ``''`` if not.

    Args:
        reward: rewards of the start-up steps, shape (N,).
        terminated: 1 where an episode ended in a terminal state, shape (N,).
    """
    share = float((reward < 0).mean()) if len(reward) else 0.0
    if share <= HALF or not terminated.any():
        return ''
    return (
        f'{100 * share:.0f} % of the rewards in the start-up steps are below 0, and episodes terminate: a policy then '
        f'learns to fail early, unless ending early is the goal. Give a reward for each step that does not fail; in a '
        f'task, set reward_floor=0.'
    )
