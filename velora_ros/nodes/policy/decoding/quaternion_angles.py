"""Roll, pitch and yaw (REP 103) of a quaternion in a message, and the direction of gravity in its frame."""

import math
from typing import Any

from velora_ros.errors import ObservationError

QUATERNION = 'geometry_msgs/Quaternion'
ANGLES = ('roll', 'pitch', 'yaw')
GRAVITY = 'gravity'
"""``orientation.gravity.z`` is the z component of R^T (0, 0, -1)."""
# A quaternion whose squared length is below this is not an orientation; usually it was never filled in.
_SHORTEST = 1e-6


class QuaternionAngle:
    """
    Computes one angle of a quaternion, or one component of the direction of gravity in its frame.

    Args:
        path: the quaternion's path in the message, for errors.
        angle: ``roll``, ``pitch`` or ``yaw``, or ``x``, ``y`` or ``z`` of the direction of gravity.
    """

    def __init__(self, path: str, angle: str) -> None:
        self._path = path
        compute = {'roll': _roll, 'pitch': _pitch, 'yaw': _yaw, 'x': _down_x, 'y': _down_y, 'z': _down_z}
        self._compute = compute[angle]

    def __call__(self, q: Any) -> float:
        """
        Return the angle [rad], or the component, of a geometry_msgs/Quaternion.

        Raises:
            ObservationError: the quaternion is invalid: zero, NaN or infinite.
        """
        square = q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z
        if not _SHORTEST <= square < math.inf:  # also true for NaN
            raise ObservationError(
                f"'{self._path}' is ({q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}), but a quaternion must have length 1; "
                'correct the node that publishes it.'
            )
        return self._compute(q, square)


# REP 103: roll about x, pitch about y, yaw about z, about fixed axes in this order [rad]. The quaternion need not have
# length 1 exactly: `square` is its squared length, and atan2 depends only on the ratio of its arguments.


def _roll(q: Any, square: float) -> float:
    return math.atan2(2 * (q.w * q.x + q.y * q.z), square - 2 * (q.x * q.x + q.y * q.y))


def _pitch(q: Any, square: float) -> float:
    return math.asin(max(-1.0, min(1.0, 2 * (q.w * q.y - q.z * q.x) / square)))


def _yaw(q: Any, square: float) -> float:
    return math.atan2(2 * (q.w * q.z + q.x * q.y), square - 2 * (q.y * q.y + q.z * q.z))


# The direction of gravity in the frame of the orientation, -R^T e_z: minus the last row of R.


def _down_x(q: Any, square: float) -> float:
    return float(2 * (q.w * q.y - q.x * q.z) / square)


def _down_y(q: Any, square: float) -> float:
    return float(-2 * (q.w * q.x + q.y * q.z) / square)


def _down_z(q: Any, square: float) -> float:
    return float(2 * (q.x * q.x + q.y * q.y) / square - 1)
