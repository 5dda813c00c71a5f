"""
Observe: from the newest values of several sources to an observation, the second of four steps to a command.

The newest values of a single source (``joint_values.py``, ``vector_values.py``) are the observation as they are, unless
a transform changes them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.contract.transforms import Unwrap
from velora_ros.control.newest_values import NewestValues

Array = npt.NDArray[np.float64]


class Observation:
    """
    Merges the newest values of all sources into the policy's observation.

    Args:
        sources: for each source its values and the entries of the observation that they fill; the first one triggers.
        transform: applied to the whole observation; None for none.
        unwrapped: entries whose angle continues beyond half a turn; they need a ``transform``.
        begins: returns whether the observation at a stamp [ns] is the first after a reset of the hidden state; then
            unwrapped angles start again.
    """

    def __init__(
        self,
        sources: Sequence[tuple[NewestValues, Sequence[int]]],
        transform: Callable[[Array], Array] | None = None,
        unwrapped: Sequence[int] = (),
        begins: Callable[[int], bool] = lambda stamp: False,
    ) -> None:
        self._unwrap, self._begins = Unwrap(unwrapped) if unwrapped else None, begins
        self._sources = [(values, np.asarray(places, dtype=np.intp)) for values, places in sources]
        self._transform = transform
        self._trigger = sources[0][0]
        self._has_one_source = len(sources) == 1  # its fields are in the policy's order
        self._whole = np.zeros(sum(len(places) for _, places in sources))

    def observe(self, values: Any, stamp: int) -> Array | None:
        """
        Store values of the triggering source and return the observation; None while its state is incomplete.

        Args:
            values: the decoded message, see :meth:`NewestValues.update`.
            stamp: when it was measured [ns].

        Raises:
            ObservationError: the message cannot be used, or a value of any source is missing or too old.
        """
        return self.read(stamp) if self._trigger.update(values, stamp) else None

    def read(self, stamp: int) -> Array:
        """
        Return the observation at a stamp [ns], shape (observation,); the caller must not keep the array.

        Raises:
            ObservationError: a value was never seen, or is too old; the message names it.
        """
        if self._has_one_source:
            whole = self._trigger.read(stamp)
        else:
            whole = self._whole
            for values, places in self._sources:
                whole[places] = values.read(stamp)
        if self._transform is None:
            return whole
        whole = self._transform(whole)
        if self._unwrap is not None:
            if self._begins(stamp):
                self._unwrap.restart()
            self._unwrap(whole)
        return whole

    def forget(self) -> None:
        """Drop every value: the robot was put somewhere else."""
        for values, _ in self._sources:
            values.forget()
