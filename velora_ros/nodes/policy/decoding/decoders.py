"""
Decode: from a message to its stamp and values, the first of four steps from a state to a command.

A decoder has one method, ``decode(message, now) -> (stamp, values)``. :class:`JointStateDecoder` reads the bytes that
the middleware carries, since making a message of them takes rclpy longer than all the other steps together. A robot
sends the same names every time, so only the numbers must be read. The rules of CDR say where they are: each number lies
on a multiple of its own size, counted from the fourth byte. A joint state with a new layout is deserialised by rclpy.
:class:`MessageDecoder` is for all other types.
"""

import struct
import sys
from array import array
from typing import Any, Protocol

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from velora_ros.control.joint_values import DecodedJointState
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.field_reader import Numbers, Reader
from velora_ros.nodes.policy.decoding.reader_registry import message_class
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.spec import Source

# Before the message: the encoding, here CDR in this machine's byte order, and two bytes without a meaning.
_HEAD, _ENCODING = struct.Struct('=H2x'), int.from_bytes([0, sys.byteorder == 'little'], sys.byteorder)
_STAMP, _COUNT = struct.Struct('=iI'), struct.Struct('=I')
_LAYOUTS_AT_MOST = 8  # several controllers may publish the states of one robot

# Types whose header names the frame of their positions; other headers name the sensor's own frame.
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


class JointStateDecoder:
    """Decodes serialised joint states; it remembers where their numbers are."""

    def __init__(self) -> None:
        self._layouts: list[_ByteLayout] = []

    def decode(self, message: bytes, now: int) -> tuple[int, DecodedJointState]:
        """
        See :class:`Decoder`; the values are names, positions, velocities and efforts, an absent field empty.

        Raises:
            ObservationError: the bytes are not a joint state.
        """
        for layout in self._layouts:
            if (decoded := layout.decode(message, now)) is not None:
                return decoded
        return self._deserialize(message, now)

    def _deserialize(self, data: bytes, now: int) -> tuple[int, DecodedJointState]:
        """Read a joint state with rclpy, and keep its layout if that decodes the same values."""
        try:
            message = deserialize_message(data, JointState)
        except Exception as error:  # each middleware raises its own
            raise ObservationError(f'the bytes of a joint state cannot be read: {error}.') from error
        stamp = to_nanoseconds(message.header.stamp) or now
        fields = message.position, message.velocity, message.effort
        layout = _ByteLayout(message)
        # Compared as bytes, since NaN differs from itself.
        if (again := layout.decode(data, now)) and [*map(bytes, again[1][1:])] == [*map(bytes, fields)]:
            self._layouts = [layout, *self._layouts[: _LAYOUTS_AT_MOST - 1]]
        return stamp, (message.name, *fields)


class _ByteLayout:
    """Where the numbers of joint states with these names are; padding bytes may have any value."""

    def __init__(self, message: JointState) -> None:
        self._name = message.name
        self._counts = [len(field) for field in (message.position, message.velocity, message.effort)]
        end = self._place_texts(
            [_text(message.header.frame_id), _COUNT.pack(len(message.name)), *map(_text, message.name)]
        )
        self._size = self._place_fields(end)

    def _place_texts(self, texts: list[bytes]) -> int:
        """Find where frame and names are; return where they end."""
        first = at = _HEAD.size + _STAMP.size
        self._texts = []
        for text in texts:
            at += -at % 4
            self._texts.append((slice(at, at + len(text)), text))
            at += len(text)
        self._all_texts, self._seen = slice(first, at), b''
        return at

    def _place_fields(self, at: int) -> int:
        """Find where the numbers are, after the texts; return where they end."""
        self._fields = []
        form, done = f'{_HEAD.format}iI', _HEAD.size + _STAMP.size
        for count in self._counts:
            at += -at % 4
            form += f'{at - done}xI'
            done = at = at + 4
            at += -(at - _HEAD.size) % 8 if count else 0
            self._fields.append(slice(at, at + 8 * count))
            at += 8 * count
        self._numbers = struct.Struct(form)
        return at

    def decode(self, data: bytes, now: int) -> tuple[int, DecodedJointState] | None:
        """Return stamp and values of a joint state, or None if its layout differs."""
        if len(data) < self._size:
            return None
        encoding, sec, nanosec, *counts = self._numbers.unpack_from(data)
        if encoding != _ENCODING or counts != self._counts:
            return None
        if data[self._all_texts] != self._seen and not self._has_texts(data):
            return None
        position, velocity, effort = self._fields
        stamp = sec * 1_000_000_000 + nanosec or now
        return stamp, (self._name, array('d', data[position]), array('d', data[velocity]), array('d', data[effort]))

    def _has_texts(self, data: bytes) -> bool:
        """Compare text by text, and remember all their bytes: those of the next message are mostly the same."""
        fits = all(data[place] == text for place, text in self._texts)
        if fits:
            self._seen = data[self._all_texts]
        return fits


def _text(text: str) -> bytes:
    """Return a string in CDR: its length, its bytes, a zero."""
    encoded = text.encode() + b'\0'
    return _COUNT.pack(len(encoded)) + encoded


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
        """See :class:`Decoder`; the values are one number for each observation of the source."""
        stamp = (to_nanoseconds(message.header.stamp) if self._has_stamp else 0) or now
        if self._has_frame:
            self._frames.check(self._source, message.header.frame_id)
        return stamp, self._reader.read(message)


class Frames:
    """
    The frames in which sources give positions; they must all be the same, because policy_node does not convert frames.

    If robot and goal were in different frames, the robot would go to the wrong place. An empty frame matches any other.
    """

    def __init__(self) -> None:
        self._frames: dict[str, str] = {}

    def check(self, source: Source, frame: str) -> None:
        """
        Check the frame of a message against the one that its source demands, and against the other sources.

        Raises:
            ObservationError: it differs.
        """
        if source.frame and not _same_frame(frame, source.frame):
            raise ObservationError(
                f"the source '{source.name}' is in the frame '{frame}' and 'observation.{source.name}.frame_id' is "
                f"'{source.frame}'; publish it in that frame. policy_node does not convert frames."
            )
        if source.frame or not _is_positioned(source):
            return
        self._frames[source.name] = frame
        for other, known in self._frames.items():
            if frame and known and not _same_frame(frame, known):
                raise ObservationError(
                    f"the source '{source.name}' is in the frame '{frame}' and '{other}' is in '{known}'; publish both "
                    f"in one frame, or set 'observation.{source.name}.frame_id' to '{frame}' if that is right."
                )


def _is_positioned(source: Source) -> bool:
    return source.type.rpartition('/')[2] in _POSITIONED


def _same_frame(one: str, other: str) -> bool:
    return one.lstrip('/') == other.lstrip('/')
