"""The interface to the newest values of one source, which ``joint_values.py`` and ``vector_values.py`` implement."""

from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from velora_ros.control.contradicting_publishers import Contradictions

Array = npt.NDArray[np.float64]
Numbers: TypeAlias = 'memoryview[float]'

NANOSECONDS = 1_000_000_000


class NewestValues(Protocol):
    """Keeps the newest values of one source."""

    max_age: float
    """Longest time between the values and the observation's stamp [s]; ``inf`` for no limit."""
    contradictions: Contradictions
    """Detects publishers of the source that contradict each other."""

    @property
    def parts_of_a_state(self) -> int:
        """Number of messages in the last complete state."""

    def observe(self, values: Any, stamp: int) -> Array | None:
        """
        Store the decoded values of a message and return all values, shape (values,); None if no state is complete.

        Raises:
            ObservationError: see :meth:`update` and :meth:`read`.
        """
        ...

    def update(self, values: Any, stamp: int) -> bool:
        """
        Store the decoded values of a message, measured at ``stamp`` [ns]; return whether they complete a state.

        Raises:
            ObservationError: the message cannot be used.
        """
        ...

    def read(self, stamp: int) -> Array:
        """
        Return the values for an observation at a stamp [ns], shape (values,); later messages overwrite this array.

        Raises:
            ObservationError: a value has never arrived or is too old; the error names it.
        """
        ...

    def write_into(self, part: Array) -> None:
        """From now on, store the values in ``part``, a part of an observation, shape (values,)."""

    def refuse(self, reason: str) -> None:
        """Record that a message cannot be used, for the given reason."""

    def forget(self) -> None:
        """Drop every value, because the robot was moved to another place."""


def numbers_of(values: Array) -> Numbers:
    """
    Return a memoryview of an array, shape (n,).

    Reading and writing a single number through the view, or copying an ``array.array`` into it, takes a fifth of the
    time that numpy takes.
    """
    return cast(Numbers, values.data)


def too_old(what: str, source: str, max_age: float) -> str:
    """Return the error text for values whose stamp differs from the state's by more than ``max_age`` [s]."""
    return (
        f'{what} is more than {max_age:g} s older or newer than the state that needs a command; publish it more often, '
        f"or raise 'observation.{source}.max_age_s'."
    )
