"""
Reads joint states from serialised bytes, and writes vectors of commands as serialised bytes.

Deserialising or serialising a message with rclpy takes longer than all other steps from a state to a command together.
A robot sends the same names every time, so only the numbers must be read. The rules of CDR (common data representation)
determine where they are: each number starts at a multiple of its own size, counted from the end of the 4-byte header.
rclpy deserialises the first joint state of each layout. ``decoding/imu_decoder.py`` reads an Imu from its bytes; all
other messages are read by ``decoding/decoders.py`` and written by ``encoders.py``.
"""

import struct
import sys
from array import array
from collections.abc import Sequence

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from velora_ros.control import Command
from velora_ros.control.joint_values import DecodedJointState
from velora_ros.errors import ObservationError
from velora_ros.nodes.ros.conversions import to_nanoseconds

# The 4-byte header: the encoding, here CDR in this machine's byte order, and two unused bytes.
CDR_HEAD, CDR_ENCODING = struct.Struct('=H2x'), int.from_bytes([0, sys.byteorder == 'little'], sys.byteorder)
CDR_STAMP, _COUNT = struct.Struct('=iI'), struct.Struct('=I')
_LAYOUTS_AT_MOST = 8  # several controllers may publish states of one robot


class JointStateDecoder:
    """Decodes joint states; for each layout it remembers where the numbers are in the bytes."""

    def __init__(self) -> None:
        self._layouts: list[_ByteLayout] = []

    def decode(self, message: bytes, now: int) -> tuple[int, DecodedJointState]:
        """
        Return the stamp [ns] and names, positions, velocities and efforts; an absent field is empty.

        See :class:`velora_ros.nodes.policy.decoding.decoders.Decoder`.

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
        except Exception as error:  # each middleware raises its own error
            raise ObservationError(
                f'the bytes of a JointState cannot be read: {error}; check the node that publishes it.'
            ) from error
        stamp = to_nanoseconds(message.header.stamp) or now
        fields = message.position, message.velocity, message.effort
        layout = _ByteLayout(message)
        # Compared as bytes, because NaN differs from itself.
        if (again := layout.decode(data, now)) and [*map(bytes, again[1][1:])] == [*map(bytes, fields)]:
            self._layouts = [layout, *self._layouts[: _LAYOUTS_AT_MOST - 1]]
        return stamp, (message.name, *fields)


class _ByteLayout:
    """The places of the numbers in joint states with the same names; padding bytes may have any value."""

    def __init__(self, message: JointState) -> None:
        self._name = message.name
        self._counts = [len(field) for field in (message.position, message.velocity, message.effort)]
        end = self._place_texts(
            [_text(message.header.frame_id), _COUNT.pack(len(message.name)), *map(_text, message.name)]
        )
        self._size = self._place_fields(end)

    def _place_texts(self, texts: list[bytes]) -> int:
        """Find where the frame and the names are; return where they end."""
        first = at = CDR_HEAD.size + CDR_STAMP.size
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
        form, done = f'{CDR_HEAD.format}iI', CDR_HEAD.size + CDR_STAMP.size
        for count in self._counts:
            at += -at % 4
            form += f'{at - done}xI'
            done = at = at + 4
            at += -(at - CDR_HEAD.size) % 8 if count else 0
            self._fields.append(slice(at, at + 8 * count))
            at += 8 * count
        self._numbers = struct.Struct(form)
        return at

    def decode(self, data: bytes, now: int) -> tuple[int, DecodedJointState] | None:
        """Return the stamp and the values of a joint state, or None if its layout differs."""
        if len(data) < self._size:
            return None
        encoding, sec, nanosec, *counts = self._numbers.unpack_from(data)
        if encoding != CDR_ENCODING or counts != self._counts:
            return None
        if data[self._all_texts] != self._seen and not self._has_texts(data):
            return None
        position, velocity, effort = self._fields
        stamp = sec * 1_000_000_000 + nanosec or now
        return stamp, (self._name, array('d', data[position]), array('d', data[velocity]), array('d', data[effort]))

    def _has_texts(self, data: bytes) -> bool:
        """Compare text by text, and remember all their bytes, which are usually the same in the next message."""
        fits = all(data[place] == text for place, text in self._texts)
        if fits:
            self._seen = data[self._all_texts]
        return fits


def _text(text: str) -> bytes:
    """Return a string in CDR: its length, its bytes and a zero byte."""
    encoded = text.encode() + b'\0'
    return _COUNT.pack(len(encoded)) + encoded


class VectorEncoder:
    """
    Encodes a command as a serialised Float64MultiArray.

    Args:
        length: the number of actions.
        places: the index in the message of each action of the policy; None if the message has the policy's order.
    """

    def __init__(self, length: int, places: Sequence[int] | None = None) -> None:
        self._head = serialize_message(Float64MultiArray(data=[0.0] * length))[: -8 * length]
        self._order = None if places is None else [places.index(place) for place in range(length)]

    def encode(self, command: Command) -> bytes:
        """See :class:`velora_ros.nodes.policy.encoders.Encoder`."""
        if self._order is not None:
            command = [command[place] for place in self._order]
        return self._head + array('d', command).tobytes()
