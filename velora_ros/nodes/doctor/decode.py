"""Converts raw messages to arrays: the times of messages, joint states, inertial sensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message

from velora_ros.doctor.samples import Array, ImuSamples, JointSamples, Times
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.recordings.messages import RawMessage


def decode(messages: Sequence[RawMessage], kind: str) -> list[Any]:
    """Deserialise raw messages of the type ``kind``."""
    message = interface_class(kind)
    return [deserialize_message(one.data, message) for one in messages]


def times_of(messages: Sequence[RawMessage], decoded: Sequence[Any], begin: int) -> Times:
    """
    Return the times at which messages were measured and received.

    Args:
        messages: the raw messages.
        decoded: the same messages, deserialised.
        begin: the time that becomes zero in the result [ns].
    """
    stamps = [to_nanoseconds(one.header.stamp) if hasattr(one, 'header') else 0 for one in decoded]
    return Times(
        np.array([(stamp - begin) * 1e-9 if stamp else np.nan for stamp in stamps]),
        np.array([(one.received - begin) * 1e-9 for one in messages]),
    )


def joint_samples(messages: Sequence[RawMessage], decoded: Sequence[Any], begin: int) -> JointSamples:
    """Return joint states as arrays; arguments as in :func:`times_of`."""
    names = list(dict.fromkeys(name for one in decoded for name in one.name))
    position, velocity = (np.full((len(decoded), len(names)), np.nan) for _ in range(2))
    for row, one in enumerate(decoded):
        places = [names.index(name) for name in one.name]
        for values, field in ((position, one.position), (velocity, one.velocity)):
            if len(field) == len(places):
                values[row, places] = field
    return JointSamples(names, times_of(messages, decoded, begin), position, velocity)


def imu_samples(messages: Sequence[RawMessage], decoded: Sequence[Any], begin: int) -> ImuSamples:
    """Return the messages of an inertial sensor as arrays; arguments as in :func:`times_of`."""
    return ImuSamples(
        times_of(messages, decoded, begin),
        np.array([[one.orientation.w, *_xyz(one.orientation)] for one in decoded]),
        all(one.orientation_covariance[0] != -1 for one in decoded),
        np.array([_xyz(one.angular_velocity) for one in decoded]),
        np.array([_xyz(one.linear_acceleration) for one in decoded]),
    )


def newest_positions(message: Any) -> dict[str, float]:
    """Return the positions in a joint state by name [rad or m]; empty if the message has no positions."""
    if len(message.position) != len(message.name):
        return {}
    return {name: float(value) for name, value in zip(message.name, message.position, strict=True)}


def resampled(times: Array, values: Array, grid: Array) -> Array:
    """
    Return values at other times: for each time the latest value that is not later.

    Args:
        times: the times of the values, shape (n,) [s].
        values: the values, shape (n, k).
        grid: the other times, shape (m,) [s].

    Returns:
        The values at these times, shape (m, k).
    """
    places = np.clip(np.searchsorted(times, grid, side='right') - 1, 0, len(times) - 1)
    found: Array = values[places]
    return found


def _xyz(vector: Any) -> list[float]:
    return [vector.x, vector.y, vector.z]
