"""Computes rotation matrices, vectors in another frame and the direction of gravity; quaternions are (w, x, y, z)."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def matrices(quaternions: Array) -> Array:
    """Return rotation matrices of quaternions (w, x, y, z) of length 1, shape (..., 4) to (..., 3, 3)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    xx, yy, zz = x * x, y * y, z * z
    found = np.empty((*quaternions.shape[:-1], 3, 3))
    found[..., 0, 0], found[..., 1, 1], found[..., 2, 2] = 1 - 2 * (yy + zz), 1 - 2 * (xx + zz), 1 - 2 * (xx + yy)
    found[..., 0, 1], found[..., 1, 0] = 2 * (x * y - w * z), 2 * (x * y + w * z)
    found[..., 0, 2], found[..., 2, 0] = 2 * (x * z + w * y), 2 * (x * z - w * y)
    found[..., 1, 2], found[..., 2, 1] = 2 * (y * z - w * x), 2 * (y * z + w * x)
    return found


def to_frame(axes: Array, vectors: Array) -> Array:
    """Return vectors, shape (..., 3), in frames whose axes are the columns of ``axes``, shape (..., 3, 3)."""
    found: Array = np.einsum('...ji,...j->...i', axes, vectors)
    return found


def gravity(axes: Array) -> Array:
    """
    Return the direction of gravity, R^T (0, 0, -1), in frames whose axes are the columns of ``axes``.

    The shapes are (..., 3, 3) to (..., 3).
    """
    found: Array = -axes[..., 2, :]
    return found


def rotation(roll: float, pitch: float, yaw: float) -> Array:
    """Return the rotation matrix, shape (3, 3), of roll, pitch and yaw about fixed axes [rad] (REP 103)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos((roll, pitch, yaw)), np.sin((roll, pitch, yaw))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
