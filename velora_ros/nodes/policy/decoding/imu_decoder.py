"""
Decodes an Imu from its serialised bytes, because deserialising it with rclpy takes longer.

After the header, an Imu has 37 numbers in a fixed order: the orientation x, y, z, w, the angular velocity and the
linear acceleration, each followed by the nine numbers of its covariance.
"""

import math
import struct
from collections.abc import Sequence

import numpy as np

from velora_ros.contract.orientations import rotation
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.serialised_messages import CDR_ENCODING, CDR_HEAD

# Encoding, seconds and nanoseconds of the stamp, length of the frame's name.
_HEADER = struct.Struct(f'{CDR_HEAD.format}iII')
_NUMBERS = struct.Struct('=5d64x4d64x4d64x')  # each part with the first number of its covariance
_COVARIANCES = {'orientation': 4, 'angular_velocity': 8, 'linear_acceleration': 12}
_SHORTEST = 1e-6
_XYZ = 'xyz'
FIELDS = tuple(
    f'{part}.{axis}' for part in ('orientation.gravity', 'angular_velocity', 'linear_acceleration') for axis in _XYZ
)
"""The fields that this decoder reads."""


class ImuDecoder:
    """
    Reads gravity, angular velocity and linear acceleration from serialised Imu messages, in the base's frame.

    Args:
        fields: some of :data:`FIELDS`.
        mounting: roll, pitch and yaw of the sensor in the base's frame [rad]; empty if the frames agree.

    Raises:
        ConfigError: the mounting is not three angles.
    """

    def __init__(self, fields: Sequence[str], mounting: Sequence[float] = ()) -> None:
        if len(mounting) not in (0, 3):
            raise ConfigError(f"'mounting_rpy' has {len(mounting)} numbers; give roll, pitch and yaw [rad].")
        self._order = [FIELDS.index(field) for field in fields]
        self._turn = rotation(*mounting) if any(mounting) else None
        self._parts = [(part, at) for part, at in _COVARIANCES.items() if any(one.startswith(part) for one in fields)]
        self._needs_gravity = any(part == 'orientation' for part, _ in self._parts)

    def decode(self, message: bytes, now: int) -> tuple[int, list[float]]:
        """
        Return the time of measurement [ns], or ``now`` if the stamp is not set, and the values of the fields.

        Raises:
            ObservationError: the bytes are not an Imu, a part that is read is missing, or the orientation is invalid.
        """
        numbers, stamp = self._numbers(message)
        for part, at in self._parts:
            if numbers[at] == -1:
                raise ObservationError(
                    f'the Imu has no {part}: its first covariance is -1. Use a sensor that measures it, '
                    'or another source.'
                )
        down = _down(*numbers[:4]) if self._needs_gravity else [0.0, 0.0, 0.0]
        values = [*down, *numbers[5:8], *numbers[9:12]]
        if self._turn is not None:
            values = (np.reshape(values, (3, 3)) @ self._turn.T).ravel().tolist()
        return stamp or now, [values[place] for place in self._order]

    def _numbers(self, data: bytes) -> tuple[tuple[float, ...], int]:
        try:
            encoding, sec, nanosec, length = _HEADER.unpack_from(data)
            at = _HEADER.size + length
            at += -(at - CDR_HEAD.size) % 8
            if encoding != CDR_ENCODING:
                raise ValueError('they have another byte order')
            return _NUMBERS.unpack_from(data, at), sec * 1_000_000_000 + nanosec
        except (struct.error, ValueError) as error:
            raise ObservationError(
                f'the bytes of an Imu cannot be read: {error}; check the node that publishes it.'
            ) from error


def _down(x: float, y: float, z: float, w: float) -> list[float]:
    """Return the direction of gravity in an orientation's frame; ``contract.orientations`` does this for arrays."""
    square = x * x + y * y + z * z + w * w
    if not _SHORTEST <= square < math.inf:
        raise ObservationError(
            f"'orientation' is ({x:g}, {y:g}, {z:g}, {w:g}), but a quaternion must have length 1; correct "
            'the node that publishes it.'
        )
    return [2 * (w * y - x * z) / square, -2 * (w * x + y * z) / square, 2 * (x * x + y * y) / square - 1]
