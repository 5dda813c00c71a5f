"""The parts of a recording: channels, their messages as bytes, and notes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Channel:
    """
    A topic of a recording.

    Args:
        topic: the full name of the topic.
        type: the type of its messages, such as ``sensor_msgs/msg/JointState``.
        definition: the definition of the type and of all types that it uses, in the format ``ros2msg``.
        qos: the quality of service that its publishers offer, as YAML for ``ros2 bag play``; may be empty.
    """

    topic: str
    type: str
    definition: str
    qos: str = ''


class RawMessage(NamedTuple):
    """A serialised message (CDR): its topic, the times when it was received and published [ns], its bytes."""

    topic: str
    received: int
    published: int
    data: bytes


@dataclass(frozen=True)
class Note:
    """A named record of text values in a recording (MCAP: metadata)."""

    name: str
    values: Mapping[str, str]


POLICY_NOTE = 'velora_ros.policy'
"""The name of the notes about the policy that ran: ``controller``, ``policy``, ``digest``, ``received`` [ns]."""
END_NOTE = 'velora_ros.end'
"""The name of the note at the end of a recording, about dropped messages."""
