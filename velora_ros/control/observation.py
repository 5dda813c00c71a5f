"""From what a robot says to what the policy reads: the newest values of its sources, joints merged by name."""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import INTERFACES
from velora_ros.contract.transforms import Unwrap
from velora_ros.errors import ObservationError

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

NANOSECONDS = 1_000_000_000
_LAYOUTS_AT_MOST = 16  # kinds of messages that are remembered; more come from a robot that makes up new ones
# Parts of one state are at most this many of their periods apart.
_TOGETHER = 0.6
# A part that comes less often than this, relative to the one that comes most often, is not waited for.
_SLOW = 0.75
# After so many states the rates are compared anew; where a state waits in vain, after so many messages of one part.
_CYCLES, _EARLY = 32, 8


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
        unwrapped: entries whose angle is to go on beyond half a turn; with some, ``transform`` returns a new array.
        begins: says whether the observation at a stamp [ns] is the first after a reset of the hidden state; angles then
            start anew.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Values, Sequence[int]]],
        transform: Callable[[Array], Array] | None = None,
        unwrapped: Sequence[int] = (),
        begins: Callable[[int], bool] = lambda stamp: False,
    ) -> None:
        self._unwrap, self._begins = Unwrap(unwrapped) if unwrapped else None, begins
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
        for values, _ in self._parts:
            values.forget()


class VectorObservation:
    """
    The newest values of a source whose messages always have all of them.

    Args:
        names: what they are, for messages to people.
        max_age: how far from the trigger's stamp they may be [s]; ``inf`` for no limit.
        source: the source's name.
        size: how many values there are; by default one for each name.
        missing: what is read while nothing came or it is too old, shape (size,); empty refuses to read.
    """

    def __init__(
        self, names: Sequence[str], max_age: float, source: str, size: int = 0, missing: Sequence[float] = ()
    ) -> None:
        self.max_age = max_age
        self._names = list(names)
        self._source = source
        self._values = np.zeros(size or len(names))
        self._missing = np.asarray(missing, dtype=np.float64) if missing else None
        self._stamp: int | None = None
        self._refused = ''

    def update(self, values: Sequence[float] | Array, stamp: int) -> None:
        """
        Take in the values of a message, measured at ``stamp`` [ns].

        Raises:
            ObservationError: there are more or fewer than names; nothing is taken in.
        """
        if len(values) != len(self._values):
            raise ObservationError(
                f'the observation has {len(values)} values and the policy reads {len(self._values)}: '
                f'{", ".join(self._names)}; publish these, in this order.'
            )
        self._values[:] = values
        self._stamp, self._refused = stamp, ''

    @property
    def newest(self) -> tuple[Sequence[int], list[float]]:
        """The places of the values in the last message, and the values."""
        return range(len(self._values)), self._values.tolist()

    def refuse(self, reason: str) -> None:
        """Refuse to read until a message can be used again: the newest could not, and the one before is outdated."""
        self._refused = reason

    def read(self, stamp: int) -> Array:
        """See :class:`Values`."""
        if self._refused:
            raise ObservationError(self._refused)
        if self._stamp is None:
            if self._missing is not None:
                return self._missing
            raise ObservationError(
                f"nothing came yet from the source '{self._source}' ({', '.join(self._names)}); "
                f"publish it, or correct 'observation.{self._source}.topic'."
            )
        if self.max_age != math.inf and abs(stamp - self._stamp) > self.max_age * NANOSECONDS:
            if self._missing is not None:
                return self._missing
            raise ObservationError(_too_old(f"the source '{self._source}'", self._source, self.max_age))
        return self._values

    def forget(self) -> None:
        """See :class:`Values`."""
        self._stamp, self._refused = None, ''


class JointObservation:
    """
    The newest value of every joint signal that the policy reads, merged from full and partial joint states.

    A state is complete when each of its parts has come since the last complete one, with stamps not much more than half
    a period apart; the message that completes it triggers a tick. A part that comes much more seldom than the others is
    not waited for: its newest value counts, within ``max_age``.

    Args:
        names: joint signals in the policy's order, e.g. ``hinge/position``.
        max_age: how much older or newer than the trigger a value may be [s]; ``inf`` for no limit.
        source: the source's name.
    """

    def __init__(self, names: Sequence[str], max_age: float, source: str = 'joints') -> None:
        self.max_age = max_age
        self.lost: Counter[str] = Counter()
        """For each signal the number of states that stayed incomplete because it did not come."""
        self._source = source
        self._names = list(names)
        self._values = array('d', bytes(8 * len(names)))  # an array of Python's takes another's numbers fastest
        self._view = np.frombuffer(self._values)
        self._stamps = np.zeros(len(names), dtype=np.int64)
        self._seen = np.zeros(len(names), dtype=bool)
        self._newest: int | None = None  # the stamp of all values, when one message had them all
        self._layout = _Layout(self._names, [], (-1, -1, -1))
        self._layouts: list[_Layout] = []
        self._parts = Parts(len(names))
        self._answered: int | None = None  # the stamp of the part that completed the last state
        self._met = False  # whether a message ever had one of the signals

    def update(
        self,
        joints: list[str],
        position: 'array[float]',
        velocity: 'array[float]',
        effort: 'array[float]',
        stamp: int,
    ) -> bool:
        """
        Take in a joint state.

        Args:
            joints: joint names, shape (n,).
            position: shape (n,) or empty [rad or m].
            velocity: shape (n,) or empty [rad/s or m/s].
            effort: shape (n,) or empty [N m or N].
            stamp: when it was measured [ns].

        Returns:
            Whether this message triggers a tick: it completes a state. While a signal was never seen, a part that comes
            again triggers as well, so that :meth:`read` can name what is missing.

        Raises:
            ObservationError: a field has another length than the names, or no message so far had any of the signals;
                nothing is taken in. Or the message belongs to the next state before a part of the last one came; it is
                taken in.
        """
        lengths = (len(position), len(velocity), len(effort))
        layout = self._layout
        if joints != layout.joints or lengths != layout.lengths:
            layout = self._find_layout(joints, lengths)
        fields = (position, velocity, effort)
        for field, signals, places in layout.copies:
            self._values[signals] = fields[field][places]
        for field, signal, place in layout.picks:
            self._values[signal] = fields[field][place]
        if layout.whole:  # the usual case: one message has it all
            self._newest = stamp
            return True
        return self._update_some(layout, stamp)

    @property
    def newest(self) -> tuple[Sequence[int], list[float]]:
        """The places of the signals in the last message, and their values."""
        places = self._layout.updated.tolist()
        return places, [self._values[place] for place in places]

    @property
    def parts_of_a_state(self) -> int:
        """The number of messages that the last complete state took."""
        return 1 if self._newest is not None else self._parts.messages

    def read(self, stamp: int) -> Array:
        """
        Return the observation at a trigger's stamp [ns], shape (observation,); the caller must not keep it.

        Raises:
            ObservationError: a signal was never seen, or its value is too old; the message names it.
        """
        if stamp == self._newest:
            return self._view
        self._note_whole()
        if not self._seen.all():
            raise ObservationError(
                f'the joint states never had {self._listed(~self._seen)}; publish them, '
                "or map the robot's names with 'observation.fields'."
            )
        if self.max_age != math.inf:
            too_old = np.abs(stamp - self._stamps) > self.max_age * NANOSECONDS
            if too_old.any():
                raise ObservationError(_too_old(self._listed(too_old), self._source, self.max_age))
        return self._view

    def forget(self) -> None:
        """Drop every value: the robot was put somewhere else."""
        self._seen[:] = False
        self._newest = None
        self._parts.forget()

    def _update_some(self, layout: '_Layout', stamp: int) -> bool:
        if not layout.mask:
            if self._met:
                return False  # of another part of the robot
            raise ObservationError(
                f'the joint states tell of {", ".join(layout.joints) or "no joint"} and have nothing that is read: '
                f"{self._listed(~self._seen)}; publish it, or map the robot's names with 'observation.fields'."
            )
        self._note_whole()
        if self._newest is not None:
            self._newest = None
            self._parts.forget()
        if stamp == layout.stamp:  # it came twice; the one that triggered is counted as a duplicate
            return stamp == self._answered or not self._seen.all()
        repeated = self._parts.repeats(layout.mask)
        missing = self._parts.missing() if repeated and self._parts.complete_once else []
        self._stamps[layout.updated] = stamp
        self._seen[layout.updated] = True
        complete = self._parts.take(layout, stamp)
        if complete:
            self._answered = stamp
        if missing and not complete:
            names = [self._names[place] for place in missing]
            self.lost.update(names)
            raise ObservationError(
                f'a state stayed incomplete: {", ".join(map(repr, names))} did not come before the next one; publish '
                'every part of each state.'
            )
        return complete or (repeated and not self._seen.all())

    def _note_whole(self) -> None:
        """Write down for each value what was one stamp for all."""
        if self._newest is not None:
            self._stamps[:] = self._newest
            self._seen[:] = True

    def _find_layout(self, joints: list[str], lengths: tuple[int, ...]) -> '_Layout':
        """Return where the entries of such a message go, worked out once: messages seldom change their layout."""
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
                f'a joint state names {", ".join(map(repr, twice))} more than once, and which value is right is not '
                'known; publish each joint once.'
            )
        self._layout = _Layout(self._names, list(joints), lengths)
        self._layouts = [self._layout, *self._layouts[: _LAYOUTS_AT_MOST - 1]]
        self._met = self._met or bool(self._layout.mask)
        return self._layout

    def _listed(self, chosen: npt.NDArray[np.bool_]) -> str:
        return ', '.join(f"'{name}'" for name, wanted in zip(self._names, chosen, strict=True) if wanted)


class _Layout:
    """Which entry of a message with these joints goes where."""

    def __init__(self, names: Sequence[str], joints: list[str], lengths: tuple[int, ...]) -> None:
        self.joints, self.lengths = joints, lengths
        self.copies: list[tuple[int, slice, slice]] = []
        self.picks: list[tuple[int, int, int]] = []
        self.stamp: int | None = None
        """That of the last message [ns]."""
        places = {joint: place for place, joint in enumerate(joints)}
        updated: list[int] = []
        for field, interface in enumerate(INTERFACES):
            pairs = [
                (signal, places[joint])
                for signal, (joint, kind) in enumerate(map(_split, names))
                if kind == interface and lengths[field] > 0 and joint in places
            ]
            updated += [signal for signal, _ in pairs]
            if pairs and all(pair == (pairs[0][0] + i, pairs[0][1] + i) for i, pair in enumerate(pairs)):
                (first, place), count = pairs[0], len(pairs)
                self.copies.append((field, slice(first, first + count), slice(place, place + count)))
            else:
                self.picks += [(field, *pair) for pair in pairs]
        self.updated: Indices = np.array(updated, dtype=np.intp)
        self.mask = sum(1 << signal for signal in updated)
        """A bit for each signal that it has."""
        self.whole = len(updated) == len(names)


class Parts:
    """
    Tells when the parts of a state are together; a bit stands for each signal.

    Args:
        count: the number of signals.
    """

    def __init__(self, count: int) -> None:
        self.complete_once = False
        """Whether a state was ever complete."""
        self.messages = 1
        """How many messages the last complete state took."""
        self._all = self._required = (1 << count) - 1
        self._counts = [0] * count  # updates of each signal since the rates were compared last
        self._fresh = 0  # the signals that came since the last complete state
        self._stamps: list[tuple[int, int]] = []  # mask and stamp of each part that came since then
        self._taken = self._cycles = 0

    def forget(self) -> None:
        """Begin a new state; how often each part comes is still known."""
        self._fresh = self._taken = 0
        self._stamps = []

    def repeats(self, mask: int) -> bool:
        """Whether a part comes again before its state was complete."""
        return bool(self._fresh & mask & self._required)

    def missing(self) -> list[int]:
        """Return the signals for which the state waits."""
        absent = self._required & ~self._fresh
        return [place for place in range(len(self._counts)) if absent >> place & 1]

    def take(self, layout: _Layout, stamp: int) -> bool:
        """Take in a part that was measured at ``stamp`` [ns]; return whether the state is complete now."""
        mask, before = layout.mask, layout.stamp
        layout.stamp = stamp
        # Parts belong together when they are closer than this; half a period, and some for its jitter.
        backwards = before is not None and stamp < before
        apart = math.inf if before is None or backwards else _TOGETHER * (stamp - before)
        self._stamps = [
            (other & ~mask, when)
            for other, when in self._stamps
            if other & ~mask and abs(stamp - when) <= apart and not (backwards and when > stamp)
        ]
        self._stamps.append((mask, stamp))
        if self._fresh & mask:
            self._cycles += 1
        self._fresh = 0
        for other, _ in self._stamps:
            self._fresh |= other
        self._taken += 1
        for place in layout.updated.tolist():
            self._counts[place] += 1
        self._compare_rates()
        if self._required & ~self._fresh or not mask & self._required:
            return False
        self.messages = self._taken
        self._cycles += 1
        self.complete_once = True
        self.forget()
        return True

    def _compare_rates(self) -> None:
        """Find the parts that come much more seldom than the others: no state waits for those."""
        fastest = max(self._counts)
        waits_in_vain = bool(self._required & ~self._fresh) and fastest >= _EARLY
        if self._cycles < _CYCLES and not (waits_in_vain and self._lag(fastest)):
            return
        slow = sum(1 << place for place, count in enumerate(self._counts) if count < _SLOW * fastest)
        self._required = self._all & ~slow
        if self._cycles >= _CYCLES:
            self._counts, self._cycles = [0] * len(self._counts), 0

    def _lag(self, fastest: int) -> bool:
        absent = self._required & ~self._fresh
        return any(absent >> place & 1 and count < _SLOW * fastest for place, count in enumerate(self._counts))


def _too_old(what: str, source: str, max_age: float) -> str:
    return (
        f'{what} is more than {max_age:g} s away from the state that would be answered; publish it more often, '
        f"or raise 'observation.{source}.max_age_s'."
    )


def _split(name: str) -> tuple[str, str]:
    joint, _, interface = name.rpartition('/')
    return joint, interface
