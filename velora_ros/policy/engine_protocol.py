"""The interface of the engines that step a policy; ``numpy_engine`` is readable, ``numba_engine`` is fast."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ENGINES = ('auto', 'numba', 'numpy')


class Engine(Protocol):
    """Computes the steps of a :class:`velora_ros.policy.policy.Policy`, in float64."""

    hidden: Array
    """The hidden state, shape (hidden,); writable in place."""
    start: Array | float
    """The hidden state after a reset, shape (hidden,), or one number for all entries."""

    def step(self, observation: Array, ratio: float) -> Array:
        """
        Advance the hidden state and return the action, a new array of shape (action,).

        Args:
            observation: the observation, shape (observation,).
            ratio: the elapsed time in nominal periods, dt / T, already clamped.

        Raises:
            ObservationError: the observation is not finite or too large; the hidden state is unchanged.
        """
        ...

    def warm_up(self) -> None:
        """Do in advance what would slow down the first step, such as compiling; the hidden state is unchanged."""
        ...


def not_finite(observation: Array) -> str:
    """Return the error text for an observation that contains NaN or infinity; the text names the entries."""
    bad = np.flatnonzero(~np.isfinite(observation))
    entries = ', '.join(f'entry {index} is {observation[index]}' for index in bad[:5])
    return f'the observation must be finite numbers; {entries}.'


def too_large(observation: Array) -> str:
    """Return the error text for an observation with which the policy's sums overflow."""
    return (
        f'the observation is so large that the policy overflows; check its units and order: {in_one_line(observation)}.'
    )


def in_one_line(observation: Array) -> str:
    """Return the numbers of an observation as text without line breaks."""
    return ' '.join(str(observation).split())
