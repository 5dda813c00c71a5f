"""Merges the newest value of every joint signal by name, from complete or partial joint states."""

import math
from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import INTERFACES
from velora_ros.control.contradicting_publishers import Contradictions
from velora_ros.control.newest_values import NANOSECONDS, Array, numbers_of, too_old
from velora_ros.control.partial_states import PartialStates
from velora_ros.errors import ObservationError

Indices = npt.NDArray[np.intp]
DecodedJointState = tuple[list[str], 'array[float]', 'array[float]', 'array[float]']
"""Joint names, positions [rad or m], velocities [rad/s or m/s], efforts [N m or N]; an absent field is empty."""

_LAYOUTS_AT_MOST = 16  # limit of the cached message layouts, in case a robot keeps sending new ones


class JointValues:
    """
    The newest value of every joint signal that the policy reads, merged from full and partial joint states.

    A state is complete when each of its parts has arrived since the last complete state, with stamps at most about half
    a period apart. A state does not wait for a part that arrives much less often than the others: the newest value of
    such a part is used, within ``max_age``.

    Args:
        names: joint signals in the policy's order, such as ``hinge/position``.
        max_age: longest time between a value and the observation's stamp [s]; ``inf`` for no limit.
        source: the name of the source.
    """

    def __init__(self, names: Sequence[str], max_age: float, source: str = 'joints') -> None:
        self.max_age = max_age
        self.lost: Counter[str] = Counter()
        """For each signal, the number of states that remained incomplete because it was missing."""
        self.contradictions = Contradictions(names)
        self._source = source
        self._names = list(names)
        self._array = np.zeros(len(names))
        self._values = numbers_of(self._array)
        self._stamps = np.zeros(len(names), dtype=np.int64)
        self._seen = np.zeros(len(names), dtype=bool)
        self._newest: int | None = None  # the stamp of all values, if one message had all of them
        self._layout = _SignalPlaces(self._names, [], (-1, -1, -1))
        self._layouts: list[_SignalPlaces] = []
        self._partial = PartialStates(len(names))
        self._answered: int | None = None  # the stamp of the part that completed the last state
        self._met = False  # whether any message had one of the signals

    def observe(self, values: DecodedJointState, stamp: int) -> Array | None:
        """See :class:`NewestValues`."""
        return self.read(stamp) if self.update(values, stamp) else None

    def update(self, state: DecodedJointState, stamp: int) -> bool:
        """
        Store the values of a joint state.

        Args:
            state: n joint names, and the positions [rad or m], velocities [rad/s or m/s] and efforts [N m or N], each
                of shape (n,) or empty.
            stamp: when the state was measured [ns].

        Returns:
            Whether this message completes a state. Until every signal has been received, it is also true for a part
            that repeats, so that :meth:`read` can name the missing signals.

        Raises:
            ObservationError: a field and the names differ in length, a joint is named twice, or no message so far had
                any of the signals; nothing is stored. Also if the message belongs to the next state and a part of the
                last state is missing; the message is stored.
        """
        joints, position, velocity, effort = state
        fields = (position, velocity, effort)
        lengths = (len(position), len(velocity), len(effort))
        layout = self._layout
        if joints != layout.joints or lengths != layout.lengths:
            layout = self._find_layout(joints, lengths)
        for field, signals, places in layout.slices:
            self._values[signals] = fields[field][places]
        for field, signal, place in layout.entries:
            self._values[signal] = fields[field][place]
        if self.contradictions.on:
            self.contradictions.note(*self.newest)
        if layout.is_whole:  # the usual case: one message has every signal
            self._newest = stamp
            return True
        return self._update_part(layout, stamp)

    def write_into(self, part: Array) -> None:
        """See :class:`NewestValues`."""
        part[:] = self._array
        self._array, self._values = part, numbers_of(part)

    @property
    def newest(self) -> tuple[Sequence[int], list[float]]:
        """Indices and values of the signals in the last message."""
        places = self._layout.updated.tolist()
        return places, [self._values[place] for place in places]

    @property
    def parts_of_a_state(self) -> int:
        """Number of messages in the last complete state."""
        return 1 if self._newest is not None else self._partial.messages

    def read(self, stamp: int) -> Array:
        """See :class:`NewestValues`; the error names the signals that have never arrived or are too old."""
        if stamp == self._newest:
            return self._array
        self._store_common_stamp()
        if not self._seen.all():
            raise ObservationError(
                f'the joint states have never contained {self._listed(~self._seen)}; publish them, '
                "or map the robot's names with 'observation.fields'."
            )
        if self.max_age != math.inf:
            late = np.abs(stamp - self._stamps) > self.max_age * NANOSECONDS
            if late.any():
                raise ObservationError(too_old(self._listed(late), self._source, self.max_age))
        return self._array

    def forget(self) -> None:
        """See :class:`NewestValues`."""
        self._seen[:] = False
        self._newest = None
        self._partial.forget()

    def refuse(self, reason: str) -> None:
        """See :class:`NewestValues`; a part that cannot be used does not affect the other parts."""

    def _update_part(self, layout: '_SignalPlaces', stamp: int) -> bool:
        if not layout.mask:
            if self._met:
                return False  # other joints of the robot
            raise ObservationError(
                f'the joint states have {", ".join(layout.joints) or "no joints"}, but the policy reads '
                f"{self._listed(~self._seen)}; publish these, or map the robot's names with 'observation.fields'."
            )
        self._store_common_stamp()
        if self._newest is not None:
            self._newest = None
            self._partial.forget()
        if stamp == layout.stamp:  # a repeated message; it counts as a duplicate if it completed a state before
            return stamp == self._answered or not self._seen.all()
        repeated = self._partial.repeats(layout.mask)
        missing = self._partial.missing() if repeated and self._partial.complete_once else []
        self._stamps[layout.updated] = stamp
        self._seen[layout.updated] = True
        complete = self._partial.add(layout.mask, layout.updated.tolist(), stamp, layout.stamp)
        layout.stamp = stamp
        if complete:
            self._answered = stamp
        if missing and not complete:
            names = [self._names[place] for place in missing]
            self.lost.update(names)
            raise ObservationError(
                f'a state remained incomplete: {", ".join(map(repr, names))} did not arrive before the next state; '
                'publish all parts of each state.'
            )
        return complete or (repeated and not self._seen.all())

    def _store_common_stamp(self) -> None:
        """If one message had all values, store its stamp as the stamp of each value."""
        if self._newest is not None:
            self._stamps[:] = self._newest
            self._seen[:] = True

    def _find_layout(self, joints: list[str], lengths: tuple[int, ...]) -> '_SignalPlaces':
        """Return the layout of messages with these joints and lengths; it is cached, because it rarely changes."""
        for layout in self._layouts:
            if joints == layout.joints and lengths == layout.lengths:
                self._layout = layout
                return layout
        for interface, length in zip(INTERFACES, lengths, strict=True):
            if length not in (0, len(joints)):
                raise ObservationError(
                    f'a joint state has {len(joints)} names and {length} values of {interface}; '
                    'every field must be empty or as long as the names.'
                )
        read = {joint for joint, _ in map(_split, self._names)}
        if twice := [joint for joint, count in Counter(joints).items() if count > 1 and joint in read]:
            raise ObservationError(
                f'a joint state names {", ".join(map(repr, twice))} more than once, so the value is ambiguous; '
                'publish each joint once.'
            )
        self._layout = _SignalPlaces(self._names, list(joints), lengths)
        self._layouts = [self._layout, *self._layouts[: _LAYOUTS_AT_MOST - 1]]
        self._met = self._met or bool(self._layout.mask)
        return self._layout

    def _listed(self, chosen: npt.NDArray[np.bool_]) -> str:
        return ', '.join(f"'{name}'" for name, wanted in zip(self._names, chosen, strict=True) if wanted)


class _SignalPlaces:
    """Where the values of a message with these joints are stored; fields are indices into :data:`INTERFACES`."""

    def __init__(self, names: Sequence[str], joints: list[str], lengths: tuple[int, ...]) -> None:
        self.joints, self.lengths = joints, lengths
        self.slices: list[tuple[int, slice, slice]] = []
        self.entries: list[tuple[int, int, int]] = []
        self.stamp: int | None = None
        """The stamp of the last message with this layout [ns]."""
        places = {joint: place for place, joint in enumerate(joints)}
        updated: list[int] = []
        for field, (interface, length) in enumerate(zip(INTERFACES, lengths, strict=True)):
            pairs = [
                (signal, places[joint])
                for signal, (joint, kind) in enumerate(map(_split, names))
                if kind == interface and length > 0 and joint in places
            ]
            updated += [signal for signal, _ in pairs]
            if pairs and all(pair == (pairs[0][0] + i, pairs[0][1] + i) for i, pair in enumerate(pairs)):
                (first, place), count = pairs[0], len(pairs)
                self.slices.append((field, slice(first, first + count), slice(place, place + count)))
            else:
                self.entries += [(field, *pair) for pair in pairs]
        self.updated: Indices = np.array(updated, dtype=np.intp)
        self.mask = sum(1 << signal for signal in updated)
        """An integer with one bit set for each signal in the message."""
        self.is_whole = len(updated) == len(names)


def _split(name: str) -> tuple[str, str]:
    joint, _, interface = name.rpartition('/')
    return joint, interface
