"""Computes the pose of every body from the joint positions and the pose of the base; nothing is simulated."""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.nodes.view.displayed_robot import DisplayedRobot

Array = npt.NDArray[np.float64]

_SINGLE_AXIS = (int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE))
_FREE = int(mujoco.mjtJoint.mjJNT_FREE)


class RobotPose:
    """
    The pose of the displayed robot; joints whose position is not known yet stay at their start position.

    Values that are not finite, unknown joints and invalid quaternions (zero, NaN or infinite) change nothing.

    Args:
        robot: the robot.
    """

    def __init__(self, robot: DisplayedRobot) -> None:
        self._model = model = robot.model
        self.data: Any = mujoco.MjData(model)
        """The MjData with the positions of the joints, and the poses of the bodies as of the last :meth:`update`."""
        self.data.qpos[:] = robot.start
        kinds, addresses = model.jnt_type, model.jnt_qposadr
        named = ((model.joint(index).name, index) for index in range(model.njnt) if int(kinds[index]) in _SINGLE_AXIS)
        self._place = {name: int(addresses[index]) for name, index in named}
        free = np.flatnonzero(kinds == _FREE)
        self._base = int(addresses[free[0]]) if len(free) else None
        self._base_body = int(model.jnt_bodyid[free[0]]) if len(free) else 0
        self.update()

    @property
    def has_base(self) -> bool:
        """Whether the robot has a base that moves freely."""
        return self._base is not None

    def set_joints(self, names: Sequence[str], positions: Sequence[float]) -> None:
        """Set the positions of joints by name [rad or m]; an empty ``positions`` changes nothing."""
        for name, position in zip(names, positions, strict=False):
            place = self._place.get(name)
            if place is not None and np.isfinite(position):
                self.data.qpos[place] = position

    def set_base(self, position: npt.ArrayLike, orientation: npt.ArrayLike) -> None:
        """Set the base's position, shape (3,) [m], and its orientation as a quaternion w, x, y, z, shape (4,)."""
        where = np.asarray(position, np.float64)
        if self._base is not None and np.isfinite(where).all():
            self.data.qpos[self._base : self._base + 3] = where
        self.set_orientation(orientation)

    def set_orientation(self, orientation: npt.ArrayLike) -> None:
        """Set only the base's orientation, as a quaternion w, x, y, z, shape (4,)."""
        quaternion = np.asarray(orientation, np.float64)
        length = np.linalg.norm(quaternion)
        if self._base is not None and np.isfinite(length) and length > 0:
            self.data.qpos[self._base + 3 : self._base + 7] = quaternion / length

    def update(self) -> None:
        """Compute the poses of all bodies from the joint positions and the pose of the base."""
        mujoco.mj_kinematics(self._model, self.data)

    def place_of(self, frame: str) -> tuple[Array, Array]:
        """
        Return a frame's origin in the world, shape (3,) [m], and its axes, the columns of a rotation matrix (3, 3).

        Args:
            frame: the name of a site or body; any other name means the frame of the base, or the world if there is no
                base.
        """
        for kind, positions, axes in (
            (mujoco.mjtObj.mjOBJ_SITE, self.data.site_xpos, self.data.site_xmat),
            (mujoco.mjtObj.mjOBJ_BODY, self.data.xpos, self.data.xmat),
        ):
            index = mujoco.mj_name2id(self._model, kind, frame) if frame else -1
            if index >= 0:
                return np.array(positions[index]), np.array(axes[index]).reshape(3, 3)
        return np.array(self.data.xpos[self._base_body]), np.array(self.data.xmat[self._base_body]).reshape(3, 3)


def scan_points(ranges: npt.ArrayLike, angle_min: float, increment: float, reach: float) -> Array:
    """
    Return the points hit by a laser scan, in the laser's frame, shape (hits, 3) [m].

    Args:
        ranges: distances, shape (rays,) [m]; rays that are not finite, not above 0 or not below ``reach`` hit nothing.
        angle_min: angle of the first ray [rad].
        increment: angle between two rays [rad].
        reach: range of the sensor [m]; 0 if it is unknown.
    """
    distances = np.asarray(ranges, np.float64)
    angles = angle_min + increment * np.arange(len(distances))
    hit = np.isfinite(distances) & (distances > 0) & (distances < (reach if reach > 0 else np.inf))
    points = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1)[hit]
    hits: Array = points * distances[hit, None]
    return hits
