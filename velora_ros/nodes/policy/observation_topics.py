"""The topics that policy_node's observations come from, and the way from their messages to an observation."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rclpy.subscription import Subscription

from velora_ros.contract.sources import JOINTS, REFUSE, VECTOR, ObservationSettings, Part, number_of, plan
from velora_ros.contract.sources import Source as SourceSettings
from velora_ros.control.contradicting_publishers import Contradictions
from velora_ros.control.observation import JointObservation, Observation, VectorObservation
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.connection_checks import Source
from velora_ros.nodes.policy.decoders import JointStateReader
from velora_ros.nodes.policy.parameters import max_age
from velora_ros.nodes.policy.readers import has_number, make_reader, message_class
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.ros.rclpy_compat import taker

# Takes in a message at a time of the robot's clock [ns]; returns when it was measured, which is now if it has no stamp
# or one of zero, and whether it may trigger a tick.
Take = Callable[[Any, int], tuple[int, bool]]
Store = JointObservation | VectorObservation

# Types whose header says in which frame their positions are; other headers name the sensor's own frame.
_POSITIONED = ('Odometry', 'PoseStamped', 'PointStamped', 'PoseWithCovarianceStamped', 'PoseArray', 'Path')


NO_CLOCK = 'use_sim_time is set, and nothing came on /clock yet; start what publishes it, or leave use_sim_time out'


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

    def begins(self, stamp: int) -> bool:
        """Whether a state of this stamp [ns] would be the first after a reset of the hidden state."""

    def on_unusable(self, error: ObservationError) -> None:
        """Say that a message could not be taken in."""

    def on_superseded(self) -> None:
        """Say that a state was not answered because a newer one has come meanwhile."""


class Inputs:
    """
    Everything that observations come from.

    Args:
        names: the policy's observation names.
        settings: the user's.
        listener: who is told.
        now: tells the time of the robot's clock [ns].
        late: a state older than this [ns] is not answered when a newer one waits behind it; by default all are.

    Raises:
        ConfigError: something does not fit the policy, or a message type or field does not exist.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: ObservationSettings,
        *,
        listener: Listener,
        now: Callable[[], int],
        late: float = math.inf,
    ) -> None:
        made = plan(names, settings)
        self._listener, self._now, self._late = listener, now, late
        self.peers: list[Source] = []
        """The topics that are subscribed to, the trigger's first."""
        if len(settings.nonfinite) == 1:
            _leave_out_nameless(made.parts, settings.nonfinite[0])
        frames = Frames()
        self._sources = [
            (part, *_store(part, names if not settings.fields else part.fields, frames, triggers=place == 0))
            for place, part in enumerate(made.parts)
        ]
        self._observation = Observation(
            [(values, part.places) for part, values, _ in self._sources],
            made.transform,
            made.unwrapped,
            listener.begins,
        )
        self.forget, self.read = self._observation.forget, self._observation.read

    @property
    def trigger(self) -> tuple[str, str]:
        """The topic whose messages are answered, and their type in full."""
        source = self._sources[0][0].source
        return source.topic, _full(message_class(source.type))

    @property
    def parts(self) -> list[Part]:
        """What is read from which source, the trigger's first."""
        return [part for part, *_ in self._sources]

    def forget_states(self) -> None:
        """Drop what the sources said of the robot; what they said for ever (``max_age_s`` 0), such as a goal, stays."""
        for part, values, _ in self._sources:
            if part.source.name not in self._lasting:
                values.forget()

    def subscribe(self, subscribe: Callable[..., Subscription]) -> None:
        """Create the subscriptions through ``subscribe(row, callback, topic_name=..., kind=..., raw=...)``."""
        for place, (part, store, take) in enumerate(self._sources):
            kind, joints = message_class(part.source.type), part.source.type == JOINTS
            collected = Contradictions(_names(part))
            make = self._trigger if place == 0 else self._callback
            callback = make(store, take, collected)
            row = 'joint_states' if joints else 'observation'
            subscription = subscribe(row, callback, topic_name=part.source.topic, kind=kind, raw=joints)
            self.peers.append(Source(part.source.name, part.source.topic, _full(kind), subscription, collected))

    def limit_ages(self, values: Values, max_state_age: float) -> None:
        """Set how far from the trigger's stamp each source's values may be."""
        self._lasting = {
            part.source.name for part, _, _ in self._sources if values[f'observation.{part.source.name}.max_age_s'] == 0
        }
        for part, store, _ in self._sources:
            store.max_age = max_age(part.source, values, max_state_age)

    def lost(self) -> Counter[str]:
        """Return for each joint signal the number of states that stayed incomplete without it."""
        total: Counter[str] = Counter()
        for _, store, _ in self._sources:
            if isinstance(store, JointObservation):
                total.update(store.lost)
        return total

    def _callback(self, store: Store, take: Take, collected: Contradictions) -> Callable[[Any], None]:
        listener, tell_time = self._listener, self._now

        def callback(message: Any) -> None:
            if listener.active:
                try:
                    take(message, tell_time())
                except ObservationError as error:
                    listener.on_unusable(error)
                else:
                    if collected.on:
                        collected.note(*store.newest)

        return callback

    def _trigger(self, store: Store, take: Take, collected: Contradictions) -> Callable[[Any], None]:
        listener, tell_time, late = self._listener, self._now, self._late

        def callback(message: Any) -> None:
            received = time.monotonic()
            if not listener.active:
                return
            now = tell_time()
            try:
                if not now:
                    raise ObservationError(NO_CLOCK)
                stamp, complete = take(message, now)
            except ObservationError as error:
                listener.on_unusable(error)
                return
            if collected.on:
                collected.note(*store.newest)
            if complete:
                if now - stamp > late:
                    catch_up(stamp)
                else:
                    listener.on_trigger(stamp, now, received)

        def catch_up(stamp: int) -> None:
            """Take in all that waits behind a late state, and answer the newest one that is complete."""
            take_next = taker(self.peers[0].subscription)
            queue: deque[Any] = deque()
            complete = True
            while True:
                while (message := take_next()) is not None:
                    queue.append(message)
                if complete and len(queue) >= _messages_of(store):
                    listener.on_superseded()
                elif complete:
                    listener.on_trigger(stamp, tell_time(), time.monotonic())
                if not queue or not listener.active:
                    return
                try:
                    stamp, complete = take(queue.popleft(), tell_time())
                except ObservationError as error:
                    complete = False
                    listener.on_unusable(error)

        return callback


def _names(part: Part) -> list[str]:
    """Return a name for each value of a source."""
    if len(part.fields) == len(part.places):
        return part.fields
    return [f'value {place}' for place in range(len(part.places))]


def _full(kind: Any) -> str:
    """Return the name of a message class, as the graph has it."""
    return f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'


def _messages_of(store: Store) -> int:
    """Return how many messages a complete state of a source takes."""
    return store.parts_of_a_state if isinstance(store, JointObservation) else 1


class Frames:
    """
    The frames in which sources give positions: they must be one, for nothing here converts between frames.

    Robot and goal in two frames would drive the robot to the wrong place. An empty frame is any.
    """

    def __init__(self) -> None:
        self._frames: dict[str, str] = {}

    def check(self, source: SourceSettings, frame: str) -> None:
        """
        Check the frame of a message against what the source must be in, and against the other sources.

        Raises:
            ObservationError: it is in another one.
        """
        if source.frame and not _same_frame(frame, source.frame):
            raise ObservationError(
                f"the source '{source.name}' is in the frame '{frame}' and 'observation.{source.name}.frame_id' is "
                f"'{source.frame}'; publish it in that frame, policy_node does not convert between frames."
            )
        if source.frame or source.type.rpartition('/')[2] not in _POSITIONED:
            return
        self._frames[source.name] = frame
        for other, known in self._frames.items():
            if frame and known and not _same_frame(frame, known):
                raise ObservationError(
                    f"the source '{source.name}' is in the frame '{frame}' and '{other}' is in '{known}'; publish both "
                    f"in one frame, or say with 'observation.{source.name}.frame_id' that '{frame}' is right."
                )


def _leave_out_nameless(parts: Sequence[Part], name: str) -> None:
    """Where one name stands for all fields, leave it to the sources whose messages have it, if any has."""
    if name in ('', REFUSE) or number_of(name) is not None:
        return
    lacking = [part for part in parts if part.source.type == JOINTS or not has_number(part.source.type, name)]
    if len(lacking) < len(parts):
        for part in lacking:
            part.nonfinite[:] = [''] * len(part.fields)


def _same_frame(one: str, other: str) -> bool:
    return one.lstrip('/') == other.lstrip('/')


def _store(part: Part, names: Sequence[str], frames: Frames, *, triggers: bool) -> tuple[Store, Take]:
    """Return where a source's values are kept, and what takes in a message."""
    source = part.source
    if source.type == JOINTS:
        if source.missing or source.frame:
            what = 'missing' if source.missing else 'frame_id'
            raise ConfigError(f"'observation.{source.name}.{what}' is not for joint states; leave it out.")
        return _store_joints(part)
    if triggers and source.missing:
        raise ConfigError(
            f"'observation.{source.name}.missing' is for sources other than the first one, '{source.name}', whose "
            "messages are what is answered; leave it out, or put another source first in 'observation.sources'."
        )
    return _store_vector(part, names, frames)


def _store_joints(part: Part) -> tuple[Store, Take]:
    joints, read = JointObservation(part.fields, float('inf'), part.source.name), JointStateReader()

    def take(data: bytes, now: int) -> tuple[int, bool]:
        stamp, names, position, velocity, effort = read(data)
        stamp = stamp or now
        return stamp, joints.update(names, position, velocity, effort, stamp)

    return joints, take


def _store_vector(part: Part, names: Sequence[str], frames: Frames) -> tuple[Store, Take]:
    source, size = part.source, len(part.places)
    vector = VectorObservation(
        names if source.type == VECTOR else part.fields, float('inf'), source.name, size, _missing(source, size)
    )
    read = _reader(part, whole=names is not part.fields)
    stamped = hasattr(message_class(source.type), 'header')
    framed = stamped and (source.frame or source.type.rpartition('/')[2] in _POSITIONED)
    if source.frame and not stamped:
        raise ConfigError(
            f"'observation.{source.name}.frame_id' is '{source.frame}', but a {source.type} has no header and so names "
            'no frame; leave it out.'
        )

    def take(message: Any, now: int) -> tuple[int, bool]:
        stamp = (to_nanoseconds(message.header.stamp) if stamped else 0) or now
        try:
            if framed:
                frames.check(source, message.header.frame_id)
            vector.update(read(message), stamp)
        except ObservationError as error:
            vector.refuse(str(error))
            raise
        return stamp, True

    return vector, take


def _missing(source: SourceSettings, size: int) -> list[float]:
    """Return what is read while the source has nothing to say, one number for each of its values."""
    if len(source.missing) in (0, size):
        return list(source.missing)
    if len(source.missing) != 1:
        raise ConfigError(
            f"'observation.{source.name}.missing' has {len(source.missing)} values and the source gives {size}; give "
            'one for all, or one for each.'
        )
    return list(source.missing) * size


def _reader(part: Part, *, whole: bool) -> Callable[[Any], Any]:
    if whole and part.source.type == VECTOR and set(part.nonfinite) <= {'', REFUSE}:
        return lambda message: message.data
    try:
        return make_reader(part.source.type, part.fields, part.nonfinite, part.widths)
    except ConfigError as error:
        raise ConfigError(f"'observation.fields' of the source '{part.source.name}': {error}") from error
