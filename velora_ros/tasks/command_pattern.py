"""A fixed sequence of twist commands that covers the range of training, for runs in which no one gives commands."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

HOLD_S = 4.0
"""How long each command is kept [s]."""
# x, y and yaw as fractions: negative fractions of the lowest value, positive fractions of the highest value. First each
# axis alone up to its limits, then combinations. No command has all axes at their limits: training rarely draws that.
_SHARES = (
    (0.0, 0.0, 0.0),
    (0.5, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (0.8, 0.0, 0.7),
    (0.0, 0.0, 1.0),
    (0.0, 1.0, 0.0),
    (-1.0, 0.0, 0.0),
    (-0.6, 0.0, -0.6),
    (0.0, 0.0, -1.0),
    (0.0, -1.0, 0.0),
    (0.6, 0.6, 0.0),
    (0.0, 0.0, 0.0),
    (0.7, -0.5, -0.5),
    (0.4, 0.4, 0.8),
    (0.3, 0.0, 0.0),
)


def twist_pattern(low: Sequence[float], high: Sequence[float]) -> Array:
    """
    Return the commands in order, shape (commands, 3).

    Args:
        low: lowest x, y [m/s] and yaw [rad/s] in training.
        high: highest x, y [m/s] and yaw [rad/s] in training.
    """
    shares = np.array(_SHARES)
    found: Array = np.where(shares < 0, -shares * np.minimum(low, 0.0), shares * np.maximum(high, 0.0))
    return found
