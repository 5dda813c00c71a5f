"""
Decode: from a message to its stamp and values, the first of four steps from a state to a command.

A decoder has one method, ``decode(message, now) -> (stamp, values)``. :class:`MessageDecoder` is for every type except
joint states (``serialised_messages.py``) and a plain Imu (``imu_decoder.py``), which are decoded from their bytes.
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
        Return when a message was measured [ns] and its values.

        Args:
            message: the message, or its bytes.
            now: the time of the robot's clock [ns]; the stamp of a message without one, or with a stamp of zero.

        Raises:
            ObservationError: the message cannot be used.
        """
        ...


class MessageDecoder:
    """
    Decodes messages of any type other than joint states.

    Args:
        source: where they come from.
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
                'thus no frame; omit it.'
            )

    def decode(self, message: Any, now: int) -> tuple[int, Numbers]:
        """See :class:`Decoder`; there is one value for each observation of the source."""
        stamp = (to_nanoseconds(message.header.stamp) if self._has_stamp else 0) or now
        if self._has_frame and (pose := self._frames.pose_of(self._source, message.header.frame_id)) is not None:
            move(message, pose)
        return stamp, self._reader.read(message)
