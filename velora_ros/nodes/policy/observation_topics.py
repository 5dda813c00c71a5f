"""The topics that policy_node's observations are read from: for each its decoder, newest values and subscription."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.subscription import Subscription

from velora_ros.contract.sources import (
    JOINTS,
    REFUSE,
    VECTOR,
    ObservationSettings,
    SourcePlan,
    number_of,
    plan,
)
from velora_ros.control.joint_values import JointValues
from velora_ros.control.newest_values import NewestValues
from velora_ros.control.observation import Observation
from velora_ros.control.vector_values import VectorValues
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.decoders import Decoder, Frames, MessageDecoder
from velora_ros.nodes.policy.decoding.field_reader import Reader
from velora_ros.nodes.policy.decoding.reader_registry import WholeVector, has_number, make_reader, message_class
from velora_ros.nodes.policy.parameters import max_age
from velora_ros.nodes.policy.serialised_messages import JointStateDecoder
from velora_ros.nodes.ros.parameters import Values
from velora_ros.spec import Source


@dataclass
class ObservationTopic:
    """
    One topic that observations are read from.

    Args:
        plan: what is read from it.
        decoder: reads its messages.
        values: its newest values.
        kind: the class of its messages.
    """

    plan: SourcePlan
    decoder: Decoder
    values: NewestValues
    kind: Any

    @property
    def source(self) -> Source:
        """The source."""
        return self.plan.source

    @property
    def full_type(self) -> str:
        """The type of its messages, as the graph has it."""
        return f'{self.kind.__module__.partition(".")[0]}/msg/{self.kind.__name__}'

    def store(self, message: Any, now: int) -> int | None:
        """
        Decode a message at a time of the robot's clock [ns] and store its values.

        Returns:
            When it was measured [ns], if it completes a state; else None.

        Raises:
            ObservationError: it cannot be used; until one can, the values cannot be read.
        """
        try:
            stamp, values = self.decoder.decode(message, now)
            return stamp if self.values.update(values, stamp) else None
        except ObservationError as error:
            self.values.refuse(str(error))
            raise

    def subscribe(self, subscribe: Callable[..., Subscription], callback: Callable[[Any], None]) -> Subscription:
        """Create its subscription by ``subscribe(row, callback, topic_name=..., kind=..., raw=...)`` and return it."""
        joints = self.source.type == JOINTS
        row = 'joint_states' if joints else 'observation'
        return subscribe(row, callback, topic_name=self.source.topic, kind=self.kind, raw=joints)


class ObservationTopics:
    """
    All topics that observations are read from, the triggering one first.

    Args:
        names: the policy's observation names.
        settings: the user's settings.

    Raises:
        ConfigError: a setting does not fit the policy, or a message type or field does not exist.
    """

    def __init__(self, names: Sequence[str], settings: ObservationSettings) -> None:
        self._plan = plan(names, settings)
        if len(settings.nonfinite) == 1:
            _apply_name_where_it_exists(self._plan.sources, settings.nonfinite[0])
        frames = Frames()
        self._topics = [
            _topic(one, names if not settings.fields else one.fields, frames, is_trigger=place == 0)
            for place, one in enumerate(self._plan.sources)
        ]
        self._lasting: set[str] = set()

    @property
    def trigger(self) -> ObservationTopic:
        """The topic whose messages are answered with a command."""
        return self._topics[0]

    @property
    def others(self) -> list[ObservationTopic]:
        """All topics but the trigger."""
        return self._topics[1:]

    @property
    def plans(self) -> list[SourcePlan]:
        """What is read from each source, the trigger's first."""
        return self._plan.sources

    def observation(self, begins: Callable[[int], bool]) -> NewestValues | Observation:
        """Return what merges the newest values of all topics; ``begins`` as in :class:`Observation`."""
        if len(self._topics) == 1 and self._plan.transform is None:
            return self.trigger.values  # in the policy's order
        sources = [(topic.values, topic.plan.places) for topic in self._topics]
        return Observation(sources, self._plan.transform, self._plan.unwrapped, begins)

    def limit_ages(self, values: Values, max_state_age: float) -> None:
        """Set how far from the observation's stamp the values of each source may be, from the node's parameters."""
        for topic in self._topics:
            topic.values.max_age = max_age(topic.source, values, max_state_age)
        self._lasting = {
            topic.source.name for topic in self._topics if values[f'observation.{topic.source.name}.max_age_s'] == 0
        }

    def forget_states(self) -> None:
        """Drop the values that describe the robot; those without an age limit (``max_age_s`` 0), as of a goal, stay."""
        for topic in self._topics:
            if topic.source.name not in self._lasting:
                topic.values.forget()

    def lost(self) -> Counter[str]:
        """Return for each joint signal the number of states that stayed incomplete without it."""
        total: Counter[str] = Counter()
        for topic in self._topics:
            if isinstance(topic.values, JointValues):
                total.update(topic.values.lost)
        return total


def _apply_name_where_it_exists(plans: Sequence[SourcePlan], name: str) -> None:
    """If one name is given for all fields, apply it to the sources whose messages have a field of this name."""
    if name in ('', REFUSE) or number_of(name) is not None:
        return
    lacking = [one for one in plans if one.source.type == JOINTS or not has_number(one.source.type, name)]
    if len(lacking) < len(plans):
        for one in lacking:
            one.nonfinite[:] = [''] * len(one.fields)


def _topic(one: SourcePlan, names: Sequence[str], frames: Frames, *, is_trigger: bool) -> ObservationTopic:
    source, kind = one.source, message_class(one.source.type)
    if source.type == JOINTS:
        if source.missing or source.frame:
            what = 'missing' if source.missing else 'frame_id'
            raise ConfigError(f"'observation.{source.name}.{what}' does not apply to joint states; omit it.")
        return ObservationTopic(one, JointStateDecoder(), JointValues(one.fields, float('inf'), source.name), kind)
    if is_trigger and source.missing:
        raise ConfigError(
            f"'observation.{source.name}.missing' is for sources other than the first one, '{source.name}', whose "
            "messages are answered with commands; omit it, or put another source first in 'observation.sources'."
        )
    size = len(one.places)
    values = VectorValues(
        names if source.type == VECTOR else one.fields, float('inf'), source.name, size, _missing(source, size)
    )
    reader = _reader(one, is_whole=names is not one.fields)
    return ObservationTopic(one, MessageDecoder(source, reader, frames), values, kind)


def _missing(source: Source, size: int) -> list[float]:
    """Return the values used while the source has none, one for each of its values."""
    if len(source.missing) in (0, size):
        return list(source.missing)
    if len(source.missing) != 1:
        raise ConfigError(
            f"'observation.{source.name}.missing' has {len(source.missing)} values and the source gives {size}; give "
            'one for all, or one for each.'
        )
    return list(source.missing) * size


def _reader(one: SourcePlan, *, is_whole: bool) -> Reader:
    if is_whole and one.source.type == VECTOR and set(one.nonfinite) <= {'', REFUSE}:
        return WholeVector()
    try:
        return make_reader(one.source.type, one.fields, one.nonfinite, one.widths)
    except ConfigError as error:
        raise ConfigError(f"'observation.fields' of the source '{one.source.name}': {error}") from error
