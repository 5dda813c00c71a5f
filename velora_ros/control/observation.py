"""
Merges the newest values of several sources into an observation: observe, the second of four steps to a command.

This is not needed if the newest values of a single source (``joint_values.py``, ``vector_values.py``) already are the
observation: nothing is computed from them, and the positions of the commanded joints are not needed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.contract.computed_entries import Computed
from velora_ros.contract.transforms import Unwrap
from velora_ros.control.newest_values import NewestValues, numbers_of
from velora_ros.control.own_sources import OwnSource, index_of

Array = npt.NDArray[np.float64]


class Observation:
    """
    Merges the newest values of all sources into the policy's observation.

    Args:
        sources: for each source its values, and the entries of the observation that they fill; the first source is the
            trigger.
        transform: function that is applied to the whole observation; None if there is none.
        unwrapped: entries whose angle continues beyond half a turn; they need a ``transform``.
        begins: returns whether the observation at a stamp [ns] is the first after a reset of the hidden state; at such
            an observation, unwrapped angles and ``own`` sources start again.
        computed: the entries that are computed from the values read, and the number of values.
        own: the sources that the controller computes itself.
        joints: indices of the commanded joints' positions among the values read; None if they are not read.
    """

    def __init__(
        self,
        sources: Sequence[tuple[NewestValues, Sequence[int]]],
        transform: Callable[[Array], Array] | None = None,
        unwrapped: Sequence[int] = (),
        begins: Callable[[int], bool] = lambda stamp: False,
        *,
        computed: Computed | None = None,
        own: Sequence[OwnSource] = (),
        joints: Sequence[int] | None = None,
    ) -> None:
        self._unwrap, self._begins = Unwrap(unwrapped) if unwrapped else None, begins
        self._transform = transform
        self._trigger = sources[0][0]
        read = sum(len(places) for _, places in sources)
        size = computed.size if computed else 0
        # The fields of one source are in the policy's order.
        self._has_one_source = len(sources) == 1 and not own and size <= read and joints is None
        self._whole = np.zeros(max(size, read))
        self._numbers = numbers_of(self._whole)
        self._sources = [(values, _part(self._whole, values, places)) for values, places in sources]
        self._ways, self._own = computed.ways if computed else [], list(own)
        self._joints = None if joints is None else index_of(joints)
        self._restarts = bool(self._own or self._unwrap)
        hidden = computed.hidden if computed else 0
        self._observed = self._whole[: len(self._whole) - hidden]

    def observe(self, values: Any, stamp: int) -> Array | None:
        """
        Store values of the trigger and return the observation, shape (observation,); None if the state is incomplete.

        Args:
            values: the decoded message, see :meth:`NewestValues.update`.
            stamp: when the message was measured [ns].

        Raises:
            ObservationError: the message cannot be used, or a value of any source is missing or too old.
        """
        return self.read(stamp) if self._trigger.update(values, stamp) else None

    def read(self, stamp: int) -> Array:
        """
        Return the observation at a stamp [ns], shape (observation,); later messages overwrite this array.

        Raises:
            ObservationError: a value has never arrived or is too old; the error names it.
        """
        if self._restarts and self._begins(stamp):
            self._restart(stamp)
        whole = self._trigger.read(stamp) if self._has_one_source else self._gather(stamp)
        if self._transform is None:
            return whole
        whole = self._transform(whole)
        if self._unwrap is not None:
            self._unwrap(whole)
        return whole

    def _gather(self, stamp: int) -> Array:
        """Return the values of all sources and the entries computed from them, shape (observation,)."""
        for values, scattered in self._sources:
            newest = values.read(stamp)
            if scattered:
                self._whole[scattered] = newest
        for one in self._own:
            one.fill(self._numbers, stamp)
        for way in self._ways:
            way(self._whole)
        return self._observed

    @property
    def joint_positions(self) -> list[float] | None:
        """The measured positions of the commanded joints in the last observation; None if they are not read."""
        return None if self._joints is None else self._whole[self._joints].tolist()

    def _restart(self, stamp: int) -> None:
        if self._unwrap is not None:
            self._unwrap.restart()
        for one in self._own:
            one.begin(stamp)

    def forget(self) -> None:
        """Drop every value, because the robot was moved to another place."""
        for values, _ in self._sources:
            values.forget()


def _part(whole: Array, values: NewestValues, places: Sequence[int]) -> list[int]:
    """
    Make a source keep its values in the observation itself, if their indices are consecutive.

    Returns:
        The indices, for values that must be copied instead; empty if the source keeps them in the observation.
    """
    part = index_of(places)
    if isinstance(part, slice):
        values.write_into(whole[part])
        return []
    return part
