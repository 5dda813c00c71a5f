"""The floating base of a simulated robot: pose and motion as measured by odometry and an inertial sensor."""

from typing import NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class FloatingBase(NamedTuple):
    """
    Pose and motion of a floating base at the origin of its body; velocities and acceleration are in the body's frame.

    The acceleration is as an accelerometer measures it: at rest 9.81 m/s^2 upwards.
    """

    position: Array
    """Position in the world, shape (3,) [m]."""
    orientation: Array
    """Orientation as w, x, y, z, shape (4,)."""
    velocity: Array
    """Velocity of the body's origin, shape (3,) [m/s]."""
    angular_velocity: Array
    """Angular velocity, shape (3,) [rad/s]."""
    acceleration: Array
    """Acceleration of the body's origin, shape (3,) [m/s^2]."""


class FloatingBaseSensor:
    """
    Measures the base of a robot.

    Args:
        model: the robot.
        joint: index of the base's free joint.
    """

    def __init__(self, model: mujoco.MjModel, joint: int) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self.dof, self._body = int(model.jnt_dofadr[joint]), int(model.jnt_bodyid[joint])
        """Index of the first of the base's six velocities in ``qvel``."""

    def measure(self, data: mujoco.MjData, *, held: bool) -> FloatingBase:
        """
        Return the current pose and motion of the base.

        Args:
            data: the state of the robot; it is not changed.
            held: whether the robot is held, so that it does not accelerate.
        """
        # MuJoCo computed the derived quantities before the last step; current ones need another forward pass.
        present, dof, body = self._data, self.dof, self._body
        mujoco.mj_copyData(present, self._model, data)
        mujoco.mj_forward(self._model, present)
        axes = present.xmat[body].reshape(3, 3)  # columns: the body's axes in the world
        acceleration = np.zeros(3) if held else present.qacc[dof : dof + 3]
        return FloatingBase(
            present.xpos[body].copy(),
            present.xquat[body].copy(),
            axes.T @ present.qvel[dof : dof + 3],
            present.qvel[dof + 3 : dof + 6].copy(),
            axes.T @ (acceleration - self._model.opt.gravity),
        )
