"""
Joint states read from, and vectors written as, the bytes that the middleware carries.

rclpy makes a message of those bytes and bytes of a message; for a robot's joint states that takes longer than all the
rest between state and command. A robot sends the same names every time, so only the numbers need to be looked at: where
they are follows from the rules of CDR (each number lies on a multiple of its own size, counted from the fourth byte
on). What was not seen before, or looks in any way different, goes the usual way.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Sequence

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from velora_ros.errors import ObservationError
from velora_ros.nodes.ros.conversions import to_nanoseconds

# What comes before a message: the encoding, here CDR in this machine's byte order, and two bytes without a meaning.
_HEAD, _ENCODING = struct.Struct('=H2x'), int.from_bytes([0, sys.byteorder == 'little'], sys.byteorder)
_STAMP, _COUNT = struct.Struct('=iI'), struct.Struct('=I')
_KNOWN_AT_MOST = 8  # layouts: several controllers may publish the states of one robot

# Stamp [ns], 0 when it was left out; names; positions, velocities and efforts, each empty when it was left out.
Joints = tuple[int, list[str], 'array[float]', 'array[float]', 'array[float]']


class JointStateReader:
    """Reads joint states; it remembers where their numbers are."""

    def __init__(self) -> None:
        self._known: list[_Layout] = []

    def __call__(self, data: bytes) -> Joints:
        """
        Return what a serialised joint state says.

        Raises:
            ObservationError: the bytes are no joint state.
        """
        for layout in self._known:
            if (joints := layout.read(data)) is not None:
                return joints
        return self._learn(data)

    def _learn(self, data: bytes) -> Joints:
        """Read a joint state the usual way, and keep its layout if it explains what was read."""
        try:
            message = deserialize_message(data, JointState)
        except Exception as error:  # of the middleware, each has its own
            raise ObservationError(f'the bytes of a joint state cannot be read: {error}.') from error
        stamp = to_nanoseconds(message.header.stamp)
        fields = message.position, message.velocity, message.effort
        layout = _Layout(message)
        if (again := layout.read(data)) and [*map(bytes, again[2:])] == [*map(bytes, fields)]:  # NaN is not itself
            self._known = [layout, *self._known[: _KNOWN_AT_MOST - 1]]
        return (stamp, message.name, *fields)


class _Layout:
    """Where the numbers of joint states with these names are; bytes between two values may be anything."""

    def __init__(self, message: JointState) -> None:
        self._name = message.name
        self._counts = [len(field) for field in (message.position, message.velocity, message.effort)]
        at = self._place_texts(
            [_text(message.header.frame_id), _COUNT.pack(len(message.name)), *map(_text, message.name)]
        )
        self._size = self._place_fields(at)

    def _place_texts(self, texts: list[bytes]) -> int:
        """Work out where frame and names are; return where they end."""
        first = at = _HEAD.size + _STAMP.size
        self._texts = []
        for text in texts:
            at += -at % 4
            self._texts.append((slice(at, at + len(text)), text))
            at += len(text)
        self._all_texts, self._seen = slice(first, at), b''
        return at

    def _place_fields(self, at: int) -> int:
        """Work out where the numbers are, after the texts; return where they end."""
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

    def read(self, data: bytes) -> Joints | None:
        """Return what a joint state says, or None when it is laid out in another way."""
        if len(data) < self._size:
            return None
        encoding, sec, nanosec, *counts = self._numbers.unpack_from(data)
        if encoding != _ENCODING or counts != self._counts:
            return None
        if data[self._all_texts] != self._seen and not self._has_texts(data):
            return None
        position, velocity, effort = self._fields
        stamp = sec * 1_000_000_000 + nanosec
        return stamp, self._name, array('d', data[position]), array('d', data[velocity]), array('d', data[effort])

    def _has_texts(self, data: bytes) -> bool:
        """Compare text by text, and remember how they look together: the next message mostly looks the same."""
        fits = all(data[place] == text for place, text in self._texts)
        if fits:
            self._seen = data[self._all_texts]
        return fits


def _text(text: str) -> bytes:
    """Return a text in CDR: its length, its bytes, a zero."""
    encoded = text.encode() + b'\0'
    return _COUNT.pack(len(encoded)) + encoded


def vector_writer(length: int) -> Callable[[Sequence[float]], bytes]:
    """Return what makes a serialised Float64MultiArray of that many numbers."""
    head = serialize_message(Float64MultiArray(data=[0.0] * length))[: -8 * length]
    return lambda values: head + array('d', values).tobytes()
