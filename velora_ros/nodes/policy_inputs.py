"""The topics that policy_node's observations come from, and the way from their messages to an observation."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from velora_ros.control.observation import JointObservation, Observation, VectorObservation
from velora_ros.control.observation import Values as SourceValues
from velora_ros.control.sources import JOINTS, VECTOR, ObservationSettings, Part, plan
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.conversions import to_nanoseconds
from velora_ros.nodes.parameters import Values
from velora_ros.nodes.policy_node_parameters import max_age
from velora_ros.nodes.readers import make_reader, message_class
from velora_ros.nodes.serialized import JointStateReader

# Takes in a message at a time of the robot's clock [ns]; returns when it was measured, which is now if it has no stamp
# or one of zero, and whether it may trigger a tick.
Take = Callable[[Any, int], tuple[int, bool]]


class Listener(Protocol):
    """Who is told what the sources say."""

    @property
    def active(self) -> bool:
        """Whether anything is to be read at all."""

    def on_trigger(self, stamp: int, now: int, received: float) -> None:
        """
        Say that a message of the trigger came, so that an observation can be read.

        Args:
            stamp: when it was measured [ns].
            now: the time on the same clock [ns].
            received: the time on the steady clock [s].
        """

    def on_unusable(self, error: ObservationError) -> None:
        """Say that a message could not be taken in."""


class Inputs:
    """
    Everything that observations come from.

    Args:
        names: the policy's observation names.
        settings: the user's.
        listener: who is told.
        now: tells the time of the robot's clock [ns].

    Raises:
        ConfigError: something does not fit the policy, or a message type or field does not exist.
    """

    def __init__(
        self, names: Sequence[str], settings: ObservationSettings, *, listener: Listener, now: Callable[[], int]
    ) -> None:
        made = plan(names, settings)
        self._listener, self._now = listener, now
        self._sources = [(part, *_store(part, names if not settings.fields else part.fields)) for part in made.parts]
        self._observation = Observation([(values, part.places) for part, values, _ in self._sources], made.transform)
        self.forget, self.read = self._observation.forget, self._observation.read

    def subscribe(self, subscribe: Callable[..., None]) -> None:
        """Create the subscriptions through ``subscribe(row, callback, topic_name=..., kind=..., raw=...)``."""
        for place, (part, _, take) in enumerate(self._sources):
            kind, joints = message_class(part.source.type), part.source.type == JOINTS
            callback = self._callback(take, triggers=place == 0)
            row = 'joint_states' if joints else 'observation'
            subscribe(row, callback, topic_name=part.source.topic, kind=kind, raw=joints)

    def limit_ages(self, values: Values, max_state_age: float) -> None:
        """Set how far from the trigger's stamp each source's values may be."""
        for part, store, _ in self._sources:
            store.max_age = max_age(part.source, values, max_state_age)

    def _callback(self, take: Take, *, triggers: bool) -> Callable[[Any], None]:
        listener, tell_time = self._listener, self._now

        def callback(message: Any) -> None:
            received = time.monotonic()
            if not listener.active:
                return
            now = tell_time()
            try:
                stamp, complete = take(message, now)
            except ObservationError as error:
                listener.on_unusable(error)
            else:
                if triggers and complete:
                    listener.on_trigger(stamp, now, received)

        return callback


def _store(part: Part, names: Sequence[str]) -> tuple[SourceValues, Take]:
    """Return where a source's values are kept, and what takes in a message."""
    return _store_joints(part) if part.source.type == JOINTS else _store_vector(part, names)


def _store_joints(part: Part) -> tuple[SourceValues, Take]:
    joints, read = JointObservation(part.fields, float('inf'), part.source.name), JointStateReader()

    def take(data: bytes, now: int) -> tuple[int, bool]:
        stamp, names, position, velocity, effort = read(data)
        stamp = stamp or now
        return stamp, joints.update(names, position, velocity, effort, stamp)

    return joints, take


def _store_vector(part: Part, names: Sequence[str]) -> tuple[SourceValues, Take]:
    source = part.source
    vector = VectorObservation(names if source.type == VECTOR else part.fields, float('inf'), source.name)
    read = _reader(part, whole=names is not part.fields)
    stamped = hasattr(message_class(source.type), 'header')

    def take(message: Any, now: int) -> tuple[int, bool]:
        stamp = (to_nanoseconds(message.header.stamp) if stamped else 0) or now
        vector.update(read(message), stamp)
        return stamp, True

    return vector, take


def _reader(part: Part, *, whole: bool) -> Callable[[Any], Any]:
    if whole and part.source.type == VECTOR:
        return lambda message: message.data
    try:
        return make_reader(part.source.type, part.fields)
    except ConfigError as error:
        raise ConfigError(f"'observation.fields' of the source '{part.source.name}': {error}") from error
