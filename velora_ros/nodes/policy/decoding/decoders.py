"""
Decoders read the stamp and the values from a message: the first of four steps from a state to a command.

A decoder has one method, ``decode(message, now) -> (stamp, values)``. Joint states (``serialised_messages.py``) and a
plain Imu (``imu_decoder.py``) are decoded from their bytes; :class:`MessageDecoder` decodes all other types.
"""

from typing import Any, Protocol

from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.decoding.field_reader import Numbers, Reader
from velora_ros.nodes.policy.decoding.reader_registry import message_class
from velora_ros.nodes.policy.decoding.source_frames import SourceFrames, move
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.spec import Source


class Decoder(Protocol):
    """Reads the values of one source from its messages."""

    def decode(self, message: Any, now: int) -> tuple[int, Any]:
        """
        Return (stamp, values): when the message was measured [ns], and what it contains.

        Args:
            message: the message, or its bytes.
            now: the time of the robot's clock [ns]; it replaces a missing or zero stamp.

        Raises:
            ObservationError: the message cannot be used.
        """
        ...


class MessageDecoder:
    """
    Decodes messages of any type other than joint states.

    Args:
        source: the source of the messages.
        reader: reads the values.
        frames: the frames of all sources.

    Raises:
        ConfigError: the source demands a frame, and its messages have no header.
    """

    def __init__(self, source: Source, reader: Reader, frames: SourceFrames) -> None:
        self._source, self._reader, self._frames = source, reader, frames
        self._has_stamp = hasattr(message_class(source.type), 'header')
        self._has_frame = frames.register(source) and self._has_stamp
        if source.frame and not self._has_stamp:
            raise ConfigError(
                f"'observation.{source.name}.frame_id' is '{source.frame}', but a {source.type} has no header and "
                'thus no frame; omit the parameter.'
            )

    def decode(self, message: Any, now: int) -> tuple[int, Numbers]:
        """See :class:`Decoder`; there is one value for each observation of the source."""
        stamp = (to_nanoseconds(message.header.stamp) if self._has_stamp else 0) or now
        if self._has_frame and (pose := self._frames.pose_of(self._source, message.header.frame_id)) is not None:
            move(message, pose)
        return stamp, self._reader.read(message)
