"""The topics from which policy_node reads observations, each with its decoder, newest values and subscription."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.subscription import Subscription

from velora_ros.contract.source_plan import JOINTS, SourcePlan
from velora_ros.contract.sources import (
    REFUSE,
    VECTOR,
    ObservationSettings,
    number_of,
    plan,
)
from velora_ros.control.joint_values import JointValues
from velora_ros.control.newest_values import NewestValues
from velora_ros.control.observation import Observation
from velora_ros.control.own_sources import LastAction, OwnSource, RunningClock
from velora_ros.control.vector_values import VectorValues
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.decoders import Decoder, MessageDecoder
from velora_ros.nodes.policy.decoding.field_reader import Reader
from velora_ros.nodes.policy.decoding.imu_decoder import FIELDS as IMU_FIELDS
from velora_ros.nodes.policy.decoding.imu_decoder import ImuDecoder
from velora_ros.nodes.policy.decoding.reader_registry import WholeVector, has_number, make_reader, message_class
from velora_ros.nodes.policy.decoding.source_frames import SourceFrames
from velora_ros.nodes.policy.frame_listener import make_frame_tree
from velora_ros.nodes.policy.serialised_messages import JointStateDecoder
from velora_ros.nodes.policy.settings_of_parameters import max_age
from velora_ros.nodes.ros.parameter import Values
from velora_ros.spec import Source

IMU = 'Imu'


@dataclass
class ObservationTopic:
    """
    One topic from which observations are read.

    Args:
        plan: the source and the fields that are read from it.
        decoder: reads the messages.
        values: the newest values of the topic.
        kind: the class of the messages.
    """

    plan: SourcePlan
    decoder: Decoder
    values: NewestValues
    kind: Any

    @property
    def source(self) -> Source:
        """The source that the topic belongs to."""
        return self.plan.source

    @property
    def full_type(self) -> str:
        """The full type of its messages, such as ``sensor_msgs/msg/Imu``."""
        return f'{self.kind.__module__.partition(".")[0]}/msg/{self.kind.__name__}'

    def store(self, message: Any, now: int) -> int | None:
        """
        Decode a message and store its values; ``now`` is the time of the robot's clock [ns].

        Returns: The time of measurement [ns] if the message completes a state, otherwise None.

        Raises:
            ObservationError: the message cannot be used; the values are unavailable until a usable message arrives.
        """
        try:
            stamp, values = self.decoder.decode(message, now)
            return stamp if self.values.update(values, stamp) else None
        except ObservationError as error:
            self.values.refuse(str(error))
            raise

    def subscribe(self, subscribe: Callable[..., Subscription], callback: Callable[[Any], None]) -> Subscription:
        """
        Create and return the topic's subscription.

        Args:
            subscribe: creates it, ``subscribe(row, callback, topic_name=..., kind=..., raw=...)``.
            callback: called with each message, or with its bytes if :attr:`is_raw`.
        """
        row = 'joint_states' if self.source.type == JOINTS else 'observation'
        return subscribe(row, callback, topic_name=self.source.topic, kind=self.kind, raw=self.is_raw)

    @property
    def is_raw(self) -> bool:
        """Whether the decoder reads the bytes of messages."""
        return isinstance(self.decoder, JointStateDecoder | ImuDecoder)


class ObservationTopics:
    """
    All topics from which observations are read, the trigger first.

    Args:
        names: the policy's observation names.
        settings: the user's settings.
        joints: the commanded joints, whose positions are read as well if there is a source of joint states.

    Raises:
        ConfigError: a setting does not fit the policy, or a message type or field does not exist.
    """

    def __init__(self, names: Sequence[str], settings: ObservationSettings, joints: Sequence[str] = ()) -> None:
        self._plan = plan(names, settings, joints)
        if len(settings.nonfinite) == 1:
            _apply_name_where_it_exists(self._plan.sources, settings.nonfinite[0])
        self.frames = SourceFrames(make_frame_tree())
        self._topics = [
            _topic(one, _names(one, names, settings), self.frames, is_trigger=place == 0)
            for place, one in enumerate(self._plan.sources)
        ]

    @property
    def trigger(self) -> ObservationTopic:
        """The topic whose messages trigger commands."""
        return self._topics[0]

    @property
    def others(self) -> list[ObservationTopic]:
        """All topics except the trigger."""
        return self._topics[1:]

    @property
    def all(self) -> list[ObservationTopic]:
        """All topics, the trigger first."""
        return list(self._topics)

    @property
    def plans(self) -> list[SourcePlan]:
        """The fields that are read from each source; the source of the trigger comes first."""
        return self._plan.sources

    @property
    def measures_joints(self) -> bool:
        """Whether the positions of the commanded joints are read."""
        return self._plan.joints is not None

    def observation(
        self, begins: Callable[[int], bool], last_action: npt.NDArray[np.float64] | None = None
    ) -> NewestValues | Observation:
        """
        Return the object that merges the newest values of all topics; if joint states suffice, their values themselves.

        Args:
            begins: as in :class:`Observation`.
            last_action: the policy's previous action, which the controller keeps up to date.

        Raises:
            ConfigError: an entry names an action that does not exist.
        """
        plan = self._plan
        if len(self._topics) == 1 and plan.transform is None and not plan.computed and plan.joints is None:
            return self.trigger.values  # in the policy's order
        sources = [(topic.values, topic.plan.places) for topic in self._topics]
        own: list[OwnSource] = [RunningClock(clock) for clock in plan.computed.clocks]
        if plan.computed.actions and last_action is not None:
            own.insert(0, LastAction(plan.computed.actions, last_action))
        return Observation(
            sources, plan.transform, plan.unwrapped, begins, computed=plan.computed, own=own, joints=plan.joints
        )

    def limit_ages(self, values: Values, max_state_age: float) -> None:
        """
        Set the largest difference in time between each source and the observation, from the node's parameters.

        A source without an age limit (``max_age_s`` 0) is a goal, which :meth:`forget_states` keeps.
        """
        for topic in self._topics:
            topic.values.max_age = max_age(topic.source, values, max_state_age)
        self.frames.goals = {
            topic.source.name for topic in self._topics if values[f'observation.{topic.source.name}.max_age_s'] == 0
        }

    def forget_states(self) -> None:
        """Drop the values of all sources except goals, the sources without an age limit (``max_age_s`` 0)."""
        for topic in self._topics:
            if topic.source.name not in self.frames.goals:
                topic.values.forget()

    def lost(self) -> Counter[str]:
        """Return, for each joint signal, the number of states that remained incomplete because it was missing."""
        total: Counter[str] = Counter()
        for topic in self._topics:
            if isinstance(topic.values, JointValues):
                total.update(topic.values.lost)
        return total


def _apply_name_where_it_exists(plans: Sequence[SourcePlan], name: str) -> None:
    """Apply a name that is given for all fields only to sources whose messages have a field of this name."""
    if name in ('', REFUSE) or number_of(name) is not None:
        return
    lacking = [one for one in plans if one.source.type == JOINTS or not has_number(one.source.type, name)]
    if len(lacking) < len(plans):
        for one in lacking:
            one.nonfinite[:] = [''] * len(one.fields)


def _topic(one: SourcePlan, names: Sequence[str], frames: SourceFrames, *, is_trigger: bool) -> ObservationTopic:
    source, kind = one.source, message_class(one.source.type)
    if source.type == JOINTS:
        if source.missing or source.frame:
            what = 'missing' if source.missing else 'frame_id'
            raise ConfigError(f"'observation.{source.name}.{what}' does not apply to joint states; omit the parameter.")
        return ObservationTopic(one, JointStateDecoder(), JointValues(one.fields, float('inf'), source.name), kind)
    if is_trigger and source.missing:
        raise ConfigError(
            f"'observation.{source.name}.missing' is not valid for the first source, whose messages trigger commands; "
            "omit the parameter, or put another source first in 'observation.sources'."
        )
    size = len(one.places)
    missing, low, high = (_one_each(source, what, size) for what in ('missing', 'low', 'high'))
    values = VectorValues(
        names if source.type == VECTOR else one.fields, float('inf'), source.name, size, missing,
        low=np.array(low) if low else None, high=np.array(high) if high else None,
    )  # fmt: skip
    return ObservationTopic(one, _decoder(one, frames, is_whole=names is not one.fields), values, kind)


def _names(one: SourcePlan, names: Sequence[str], settings: ObservationSettings) -> Sequence[str]:
    """Return the names of a source's values: the policy's names for a whole vector, otherwise its fields."""
    return names if one.source.type == VECTOR and not settings.fields else one.fields


def _decoder(one: SourcePlan, frames: SourceFrames, *, is_whole: bool) -> Decoder:
    source = one.source
    if source.type == IMU and set(one.fields) <= set(IMU_FIELDS) and not source.frame:
        return ImuDecoder(one.fields, source.mounting_rpy)
    if source.mounting_rpy:
        raise ConfigError(
            f"'observation.{source.name}.mounting_rpy' is valid only for an Imu from which no fields other than "
            f'{", ".join(IMU_FIELDS)} are read; omit the parameter, or read the other fields from a separate source.'
        )
    return MessageDecoder(source, _reader(one, is_whole=is_whole), frames)


def _one_each(source: Source, what: str, size: int) -> list[float]:
    """Return the numbers of the setting ``what``, one for each value of the source; empty if it is not set."""
    given = getattr(source, what)
    if len(given) in (0, size):
        return list(given)
    if len(given) != 1:
        raise ConfigError(
            f"'observation.{source.name}.{what}' has {len(given)} numbers; give one number for all values of "
            f'the source, or one for each ({size}).'
        )
    return list(given) * size


def _reader(one: SourcePlan, *, is_whole: bool) -> Reader:
    if is_whole and one.source.type == VECTOR and set(one.nonfinite) <= {'', REFUSE}:
        return WholeVector()
    try:
        zero_is_far = one.source.zero_means_no_return
        return make_reader(one.source.type, one.fields, one.nonfinite, one.widths, zero_is_far=zero_is_far)
    except ConfigError as error:
        raise ConfigError(f"'observation.fields' of the source '{one.source.name}': {error}") from error
