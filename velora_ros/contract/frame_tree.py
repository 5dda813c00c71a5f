"""
Keeps the tree of frames that is published on ``tf``, and converts poses from one frame to another.

A pose is a position [m] and an orientation, a unit quaternion (w, x, y, z). Each frame of the tree has a pose in its
parent frame.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.contract.orientations import matrices
from velora_ros.errors import ObservationError

Array = npt.NDArray[np.float64]


class Pose(NamedTuple):
    """A position, shape (3,) [m], and an orientation, a unit quaternion (w, x, y, z), shape (4,)."""

    position: Array
    orientation: Array


HERE = Pose(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))
"""The pose of a frame in itself."""


def composed(outer: Pose, inner: Pose) -> Pose:
    """Return the pose of an object that has the pose ``inner`` in a frame that has the pose ``outer``."""
    position = outer.position + matrices(outer.orientation) @ inner.position
    return Pose(position, _product(outer.orientation, inner.orientation))


def inverted(pose: Pose) -> Pose:
    """Return the inverse of a pose: the pose of the outer frame in the inner frame."""
    back = pose.orientation * [1, -1, -1, -1]
    return Pose(-(matrices(back) @ pose.position), back)


class FrameTree:
    """The newest pose of each frame in its parent."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, Pose]] = {}

    def update(self, parent: str, child: str, position: npt.ArrayLike, orientation: npt.ArrayLike) -> None:
        """
        Set the pose of a frame in its parent.

        Args:
            parent: the parent frame; leading slashes of names are ignored.
            child: the frame.
            position: the position of the frame, shape (3,) [m].
            orientation: a quaternion (w, x, y, z), shape (4,), of any length but 0.

        Raises:
            ObservationError: a number is not finite, or the quaternion is zero; the old pose is kept.
        """
        place, turn = np.asarray(position, np.float64), np.asarray(orientation, np.float64)
        length = float(np.sqrt((turn**2).sum()))
        if not np.isfinite(place).all() or not 1e-6 < length < np.inf:
            raise ObservationError(
                f"the pose of the frame '{child}' in '{parent}' has a number that is not finite, or a zero quaternion; "
                'correct the node that publishes it.'
            )
        self._parents[_plain(child)] = _plain(parent), Pose(place, turn / length)

    def pose(self, frame: str, within: str) -> Pose:
        """
        Return the pose of ``frame`` in the frame ``within``.

        Raises:
            ObservationError: the frames are not connected; the error lists the known frames.
        """
        (root, inner), (other_root, outer) = self._in_root(_plain(frame)), self._in_root(_plain(within))
        if root != other_root:
            known = sorted({*self._parents, *(parent for parent, _ in self._parents.values())})
            raise ObservationError(
                f"tf does not connect the frames '{frame}' and '{within}'; publish the missing transforms. tf has "
                f'{", ".join(known) or "no frames yet"}.'
            )
        return composed(inverted(outer), inner)

    def _in_root(self, frame: str) -> tuple[str, Pose]:
        """Return the root of the tree that has a frame, and the frame's pose in the root; a loop of frames is cut."""
        pose, seen = HERE, {frame}
        while frame in self._parents:
            parent, own = self._parents[frame]
            if parent in seen:
                break
            frame, pose = parent, composed(own, pose)
            seen.add(frame)
        return frame, pose


def _plain(frame: str) -> str:
    return frame.lstrip('/')


def _product(one: Array, other: Array) -> Array:
    """Return the product of two quaternions (w, x, y, z)."""
    vector = one[0] * other[1:] + other[0] * one[1:] + np.cross(one[1:], other[1:])
    return np.array([one[0] * other[0] - one[1:] @ other[1:], *vector])
