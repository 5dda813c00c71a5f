"""Where a goal lies for a robot: the difference of positions, with the axes of the world or of the robot."""

import numpy as np
import numpy.typing as npt

from velora_ros.contract.orientations import to_frame

Array = npt.NDArray[np.float64]


def seen_from(goal: Array, origin: Array, axes: Array | None = None) -> Array:
    """
    Return the way from an origin to a goal.

    Args:
        goal: position of the goal, shape (..., 3) [m].
        origin: position from which it is seen, shape (..., 3) [m].
        axes: columns are the axes in which the way is given, shape (..., 3, 3); None: those of the positions.
    """
    way = goal - origin
    return way if axes is None else to_frame(axes, way)
