"""From what a robot says to what the policy reads: the newest values of its sources, joints merged by name."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ObservationError

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

INTERFACES = ('position', 'velocity', 'effort')
NANOSECONDS = 1_000_000_000


def joint_signal(name: str) -> tuple[str, str] | None:
    """Return (joint, interface) of a name such as ``hinge/position``, or None when it is no joint signal."""
    joint, slash, interface = name.rpartition('/')
    return (joint, interface) if slash and joint and interface in INTERFACES else None


def reads_joints(names: Sequence[str]) -> bool:
    """Whether every name is a joint signal, so that joint states can carry the whole observation."""
    return all(joint_signal(name) for name in names)


class Values(Protocol):
    """The newest values of one source."""

    max_age: float
    """How far from the trigger's stamp a value may be [s]; ``inf`` for no limit."""

    def read(self, stamp: int) -> Array:
        """Return the values at a trigger's stamp [ns]; ObservationError names what is missing or too old."""
        ...

    def forget(self) -> None:
        """Drop every value: the robot was put somewhere else."""


class Observation:
    """
    Puts the policy's observation together from the newest values of its sources.

    Args:
        parts: for each source its values and which entries of the observation they fill.
        transform: what is done to the whole; None for nothing.
    """

    def __init__(
        self, parts: Sequence[tuple[Values, Sequence[int]]], transform: Callable[[Array], Array] | None = None
    ) -> None:
        self._parts = [(values, np.asarray(places, dtype=np.intp)) for values, places in parts]
        self._transform = transform
        self._only = parts[0][0] if len(parts) == 1 else None  # its fields are in the policy's order
        self._whole = np.zeros(sum(len(places) for _, places in parts))

    def read(self, stamp: int) -> Array:
        """
        Return the observation at a trigger's stamp [ns], shape (observation,); the caller must not keep it.

        Raises:
            ObservationError: a value was never seen, or is too old; the message names it.
        """
        if self._only is not None:
            whole = self._only.read(stamp)
        else:
            whole = self._whole
            for values, places in self._parts:
                whole[places] = values.read(stamp)
        return whole if self._transform is None else self._transform(whole)

    def forget(self) -> None:
        """Drop every value: the robot was put somewhere else."""
        for values, _ in self._parts:
            values.forget()


class VectorObservation:
    """
    The newest values of a source whose messages always have all of them.

    Args:
        names: what they are, for messages to people.
        max_age: how far from the trigger's stamp they may be [s]; ``inf`` for no limit.
        source: the source's name.
    """

    def __init__(self, names: Sequence[str], max_age: float, source: str) -> None:
        self.max_age = max_age
        self._names = list(names)
        self._source = source
        self._values = np.zeros(len(names))
        self._stamp: int | None = None

    def update(self, values: Sequence[float] | Array, stamp: int) -> None:
        """
        Take in the values of a message, measured at ``stamp`` [ns].

        Raises:
            ObservationError: there are more or fewer than names; nothing is taken in.
        """
        if len(values) != len(self._names):
            raise ObservationError(
                f'the observation has {len(values)} values and the policy reads {len(self._names)}: '
                f'{", ".join(self._names)}; publish these, in this order.'
            )
        self._values[:] = values
        self._stamp = stamp

    def read(self, stamp: int) -> Array:
        """See :class:`Values`."""
        if self._stamp is None:
            raise ObservationError(
                f"nothing came yet from the source '{self._source}' ({', '.join(self._names)}); "
                f"publish it, or correct 'observation.{self._source}.topic'."
            )
        if self.max_age != math.inf and abs(stamp - self._stamp) > self.max_age * NANOSECONDS:
            raise ObservationError(_too_old(f"the source '{self._source}'", self._source, self.max_age))
        return self._values

    def forget(self) -> None:
        """See :class:`Values`."""
        self._stamp = None


class JointObservation:
    """
    The newest value of every joint signal that the policy reads, merged from full and partial joint states.

    A message that carries the policy's first signal triggers a tick; others contribute their newest values.

    Args:
        names: joint signals in the policy's order, e.g. ``hinge/position``.
        max_age: how much older or newer than the trigger a value may be [s]; ``inf`` for no limit.
        source: the source's name.
    """

    def __init__(self, names: Sequence[str], max_age: float, source: str = 'joints') -> None:
        self.max_age = max_age
        self._source = source
        self._names = list(names)
        self._values = np.zeros(len(names))
        self._stamps = np.zeros(len(names), dtype=np.int64)
        self._seen = np.zeros(len(names), dtype=bool)
        self._newest_is_whole = False
        self._newest = 0
        self._layout: tuple[list[str], tuple[int, int, int]] | None = None
        self._plan: list[tuple[int, Indices, Indices]] = []
        self._updated: Indices = np.empty(0, dtype=np.intp)
        self._triggers = False

    def update(self, joints: list[str], position: Array, velocity: Array, effort: Array, stamp: int) -> bool:
        """
        Take in a joint state.

        Args:
            joints: joint names, shape (n,).
            position: shape (n,) or empty [rad or m].
            velocity: shape (n,) or empty [rad/s or m/s].
            effort: shape (n,) or empty [N m or N].
            stamp: when it was measured [ns].

        Returns:
            Whether this message triggers a tick. Until the policy's first signal was seen every message with one of
            its joints does, so that :meth:`read` can name what is missing.

        Raises:
            ObservationError: a field has another length than the names; nothing is taken in.
        """
        fields = (position, velocity, effort)
        layout = (len(position), len(velocity), len(effort))
        if self._layout is None or self._layout[1] != layout or self._layout[0] != joints:
            self._learn_layout(joints, layout)
        if not len(self._updated):
            return False
        for field, signals, places in self._plan:
            self._values[signals] = fields[field][places]
        self._newest_is_whole = len(self._updated) == len(self._values)
        self._newest = stamp
        self._stamps[self._updated] = stamp
        self._seen[self._updated] = True
        return self._triggers or not self._seen[0]

    def read(self, stamp: int) -> Array:
        """
        Return the observation at a trigger's stamp [ns], shape (observation,); the caller must not keep it.

        Raises:
            ObservationError: a signal was never seen, or its value is too old; the message names it.
        """
        if self._newest_is_whole and stamp == self._newest:  # the usual case: one message had it all
            return self._values
        if not self._seen.all():
            raise ObservationError(
                f'the joint states never had {self._listed(~self._seen)}; publish them, '
                "or map the robot's names with 'observation.fields'."
            )
        if self.max_age != math.inf:
            too_old = np.abs(stamp - self._stamps) > self.max_age * NANOSECONDS
            if too_old.any():
                raise ObservationError(_too_old(self._listed(too_old), self._source, self.max_age))
        return self._values

    def forget(self) -> None:
        """Drop every value: the robot was put somewhere else."""
        self._seen[:] = False
        self._newest_is_whole = False

    def _learn_layout(self, joints: list[str], layout: tuple[int, int, int]) -> None:
        """Work out once which entry of a message goes where; messages seldom change their layout."""
        for interface, length in zip(INTERFACES, layout, strict=True):
            if length not in (0, len(joints)):
                raise ObservationError(
                    f'a joint state has {len(joints)} names and {length} values of {interface}; '
                    'every field must be empty or as long as the names.'
                )
        places = {joint: place for place, joint in enumerate(joints)}
        self._plan = []
        for field, interface in enumerate(INTERFACES):
            pairs = [
                (signal, places[joint])
                for signal, (joint, kind) in enumerate(map(_split, self._names))
                if kind == interface and layout[field] and joint in places
            ]
            if pairs:
                signals, sources = np.array(pairs, dtype=np.intp).T
                self._plan.append((field, signals, sources))
        parts = [signals for _, signals, _ in self._plan]
        self._updated = np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)
        self._triggers = bool((self._updated == 0).any())
        self._layout = (list(joints), layout)

    def _listed(self, chosen: npt.NDArray[np.bool_]) -> str:
        return ', '.join(f"'{name}'" for name, wanted in zip(self._names, chosen, strict=True) if wanted)


def _too_old(what: str, source: str, max_age: float) -> str:
    return (
        f'{what} is more than {max_age:g} s away from the state that would be answered; publish it more often, '
        f"or raise 'observation.{source}.max_age_s'."
    )


def _split(name: str) -> tuple[str, str]:
    joint, _, interface = name.rpartition('/')
    return joint, interface
