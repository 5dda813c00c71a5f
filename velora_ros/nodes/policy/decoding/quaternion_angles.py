"""Roll, pitch and yaw of a quaternion in a message (REP 103)."""

import math
from typing import Any

from velora_ros.errors import ObservationError

QUATERNION = 'geometry_msgs/Quaternion'
ANGLES = ('roll', 'pitch', 'yaw')
# A quaternion whose squared length is below this is not an orientation; mostly it was never filled in.
_SHORTEST = 1e-6


class QuaternionAngle:
    """
    Computes one angle of a quaternion.

    Args:
        path: the quaternion's path in the message, for errors.
        angle: ``roll``, ``pitch`` or ``yaw``.
    """

    def __init__(self, path: str, angle: str) -> None:
        self._path = path
        self._compute = {'roll': _roll, 'pitch': _pitch, 'yaw': _yaw}[angle]

    def __call__(self, q: Any) -> float:
        """
        Return the angle [rad] of a geometry_msgs/Quaternion.

        Raises:
            ObservationError: the quaternion is invalid: zero, NaN or infinite.
        """
        square = q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z
        if not _SHORTEST <= square < math.inf:  # NaN neither
            raise ObservationError(
                f"'{self._path}' is ({q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}), an invalid quaternion; x, y, z and w of an "
                'orientation have length 1.'
            )
        return self._compute(q, square)


# REP 103: roll about x, pitch about y, yaw about z, about fixed axes in this order [rad]. The quaternion need not have
# length 1 exactly: `square` is its squared length, and atan2 depends on the ratio of its arguments only.


def _roll(q: Any, square: float) -> float:
    return math.atan2(2 * (q.w * q.x + q.y * q.z), square - 2 * (q.x * q.x + q.y * q.y))


def _pitch(q: Any, square: float) -> float:
    return math.asin(max(-1.0, min(1.0, 2 * (q.w * q.y - q.z * q.x) / square)))


def _yaw(q: Any, square: float) -> float:
    return math.atan2(2 * (q.w * q.z + q.x * q.y), square - 2 * (q.y * q.y + q.z * q.z))
