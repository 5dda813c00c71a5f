"""Converts the messages that all nodes use to numpy and Python values, and back."""

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64, Float64MultiArray, String

Array = npt.NDArray[np.float64]

_LEVELS = {'ok': DiagnosticStatus.OK, 'warn': DiagnosticStatus.WARN, 'error': DiagnosticStatus.ERROR}


def to_nanoseconds(stamp: Time) -> int:
    """Return a stamp in nanoseconds; 0 if it was never set."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def to_stamp(nanoseconds: int) -> Time:
    """Return the stamp of a time [ns]."""
    seconds, rest = divmod(int(nanoseconds), 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


def from_vector(message: Float64MultiArray) -> Array:
    """Return the data of a message as a flat array, shape (length,); the layout is ignored."""
    return _as_array(message.data)


def to_vector(values: Array) -> Float64MultiArray:
    """Return a message with a flat array, shape (length,)."""
    return fill_vector(Float64MultiArray(), values)


def fill_vector(message: Float64MultiArray, values: Array) -> Float64MultiArray:
    """Write a flat array, shape (length,), into an existing message and return it; 5 times as fast as a new message."""
    message.data = _as_sequence(values)
    return message


def to_joint_state(names: Sequence[str], position: Array, velocity: Array, effort: Array, stamp: int) -> JointState:
    """Return a joint state stamped ``stamp`` [ns]; an empty array leaves its field empty."""
    message = JointState()
    message.header.stamp = to_stamp(stamp)
    message.name = list(names)
    message.position = _as_sequence(position)
    message.velocity = _as_sequence(velocity)
    message.effort = _as_sequence(effort)
    return message


def to_image(picture: npt.NDArray[np.uint8], frame_id: str, stamp: int) -> Image:
    """Return an rgb8 image of a picture, shape (height, width, 3), stamped ``stamp`` [ns]."""
    height, width, _ = picture.shape
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width, data=array('B', picture.tobytes()))
    message.header.stamp, message.header.frame_id = to_stamp(stamp), frame_id
    return message


def to_diagnostic(name: str, level: str, text: str, values: dict[str, Any], hardware_id: str = '') -> DiagnosticStatus:
    """Return a status with the message ``text``; its level is ``ok``, ``warn`` or ``error``, its values are strings."""
    pairs = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
    return DiagnosticStatus(level=_LEVELS[level], name=name, message=text, hardware_id=hardware_id, values=pairs)


def hardware_id(namespace: str, robot: str) -> str:
    """Return the robot's name for diagnostics: the node's namespace, or ``robot`` if the namespace is empty."""
    return namespace.strip('/') or robot


def to_diagnostics(status: DiagnosticStatus, stamp: int) -> DiagnosticArray:
    """Return a message for ``/diagnostics`` with one status, stamped ``stamp`` [ns]."""
    message = DiagnosticArray(status=[status])
    message.header.stamp = to_stamp(stamp)
    return message


def from_diagnostics(message: DiagnosticArray, name: str) -> dict[str, str]:
    """Return all values that the node ``name`` reports, by key; its statuses are named ``<node>: <task>``."""
    own = [status for status in message.status if status.name.partition(':')[0] == name]
    return {pair.key: pair.value for status in own for pair in status.values}


def to_clock(nanoseconds: int) -> Clock:
    """Return a message for ``/clock`` with a time [ns]."""
    return Clock(clock=to_stamp(nanoseconds))


def to_number(value: float) -> Float64:
    """Return a message with one number."""
    return Float64(data=float(value))


def to_text(text: str) -> String:
    """Return a message with a string."""
    return String(data=text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def _as_array(values: 'array[float]') -> Array:
    # rclpy stores sequences as array.array, whose memory numpy reads without a copy.
    return np.frombuffer(values, dtype=np.float64) if len(values) else np.empty(0)


def _as_sequence(values: Array) -> 'array[float]':
    # rclpy stores an array.array as it is; for any other sequence it checks every number in Python.
    return array('d', np.ascontiguousarray(values, dtype=np.float64).tobytes())
