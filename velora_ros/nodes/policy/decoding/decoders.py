"""
Decode: from a message to its stamp and values, the first of four steps from a state to a command.

A decoder has one method, ``decode(message, now) -> (stamp, values)``. :class:`MessageDecoder` is for every type except
joint states, which ``serialised_messages.py`` decodes from their bytes.
"""

from typing import Any, Protocol

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.field_reader import Numbers, Reader
from velora_ros.nodes.policy.decoding.reader_registry import message_class
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.spec import Source

# Types whose header has the frame of their positions; other headers have the sensor's own frame.
_POSITIONED = ('Odometry', 'PoseStamped', 'PointStamped', 'PoseWithCovarianceStamped', 'PoseArray', 'Path')


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

    def __init__(self, source: Source, reader: Reader, frames: 'Frames') -> None:
        self._source, self._reader, self._frames = source, reader, frames
        self._has_stamp = hasattr(message_class(source.type), 'header')
        self._has_frame = self._has_stamp and bool(source.frame or _is_positioned(source))
        if source.frame and not self._has_stamp:
            raise ConfigError(
                f"'observation.{source.name}.frame_id' is '{source.frame}', but a {source.type} has no header and "
                'thus no frame; omit it.'
            )

    def decode(self, message: Any, now: int) -> tuple[int, Numbers]:
        """See :class:`Decoder`; there is one value for each observation of the source."""
        stamp = (to_nanoseconds(message.header.stamp) if self._has_stamp else 0) or now
        if self._has_frame:
            self._frames.check(self._source, message.header.frame_id)
        return stamp, self._reader.read(message)


class Frames:
    """
    The frames of the sources' positions; they must all be the same, because policy_node does not convert frames.

    If robot and goal were in different frames, the robot would go to the wrong place. An empty frame matches any other.
    """

    def __init__(self) -> None:
        self._frames: dict[str, str] = {}

    def check(self, source: Source, frame: str) -> None:
        """
        Check the frame of a message against the one required by its source, and against the other sources.

        Raises:
            ObservationError: it differs.
        """
        if source.frame and not _same_frame(frame, source.frame):
            raise ObservationError(
                f"the source '{source.name}' is in the frame '{frame}', but 'observation.{source.name}.frame_id' is "
                f"'{source.frame}'; publish it in that frame. policy_node does not convert frames."
            )
        if source.frame or not _is_positioned(source):
            return
        self._frames[source.name] = frame
        for other, known in self._frames.items():
            if frame and known and not _same_frame(frame, known):
                raise ObservationError(
                    f"the source '{source.name}' is in the frame '{frame}' and '{other}' is in '{known}'; publish both "
                    f"in one frame, or set 'observation.{source.name}.frame_id' to '{frame}' if that is correct."
                )


def _is_positioned(source: Source) -> bool:
    return source.type.rpartition('/')[2] in _POSITIONED


def _same_frame(one: str, other: str) -> bool:
    return one.lstrip('/') == other.lstrip('/')
