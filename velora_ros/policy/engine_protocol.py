"""The interface of the engines that step a policy; ``numpy_engine`` is readable, ``numba_engine`` is fast."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ENGINES = ('auto', 'numba', 'numpy')


class Engine(Protocol):
    """The interface of an engine for :class:`velora_ros.policy.policy.Policy`. All engines compute in float64."""

    hidden: Array
    """The hidden state, shape (C,); writable in place."""
    start: Array | float
    """The hidden state after a reset, shape (C,), or one number for all."""

    def step(self, observation: Array, ratio: float) -> Array:
        """
        Advance the hidden state and return a new action, shape (A,).

        Args:
            observation: shape (S,).
            ratio: dt / T, already clamped.

        Raises:
            ObservationError: the observation is not finite, or too large; the hidden state is unchanged.
        """
        ...

    def warm_up(self) -> None:
        """Do in advance what would make the first step slow, such as compiling; the hidden state is not changed."""
        ...


def not_finite(observation: Array) -> str:
    """Return the message for an observation that contains NaN or infinity; it names the entries."""
    bad = np.flatnonzero(~np.isfinite(observation))
    entries = ', '.join(f'entry {index} is {observation[index]}' for index in bad[:5])
    return f'the observation must be finite numbers; {entries}.'


def too_large(observation: Array) -> str:
    """Return the message for an observation with which the policy's sums overflow."""
    return (
        f'the observation is so large that the policy overflows; check its units and order: {in_one_line(observation)}.'
    )


def in_one_line(observation: Array) -> str:
    """Return the numbers of an observation as text without line breaks."""
    return ' '.join(str(observation).split())
