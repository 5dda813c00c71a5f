"""What the sensors of a task's robot measure: joints, inertial sensor, odometry, poses, laser; one array with names."""

from collections.abc import Sequence

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import signal_name
from velora_ros.contract.orientations import matrices, to_frame
from velora_ros.tasks.laser import find_laser
from velora_ros.tasks.mujoco_simulations import Sim
from velora_ros.tasks.named_parts import bound
from velora_ros.tasks.terms.observe import quaternions

Array = npt.NDArray[np.float64]

IMU, ODOM, SCAN = 'imu', 'odom', 'scan'
_XYZ, _WXYZ = ('x', 'y', 'z'), ('w', 'x', 'y', 'z')


class RobotSensors:
    """
    The sensors of the first of many simulations.

    A value is named ``<joint>/position``, ``<joint>/velocity``, ``<joint>/effort``, ``imu/angular_velocity.x``,
    ``odom/position.x``, ``tool/position.x``, ``scan/0`` and so on. Values belong to the newest state; efforts and
    the acceleration are one physics step older.

    Args:
        sim: the simulations.
        poses: names of bodies and sites whose pose in the world is measured, for example by a camera or an arm's
            driver.
    """

    def __init__(self, sim: Sim, poses: Sequence[str] = ()) -> None:
        self._sim, model = sim, sim.model
        self.has_base = bool((model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE)).any())
        """Whether there is a floating base, and with it an inertial sensor and odometry."""
        self.laser = find_laser(model)
        """The laser scanner; None if there is none."""
        self._joints = sim.joints('*')
        self.joint_names: Sequence[str] = self._joints.names
        self.names: list[str] = []
        """Name of each value."""
        self.places: dict[str, slice] = {}
        """Where each part is in the array of :meth:`read`, by name such as ``position`` or ``imu/orientation``."""
        for interface in ('position', 'velocity', 'effort'):
            self._add(interface, [signal_name(joint, interface) for joint in self.joint_names])
        if self.has_base:
            self._qacc = bound(sim.batch, 'qacc')
            self._dof = int(model.jnt_dofadr[sim.free_joint.id])
            self._add_vectors(IMU, {'orientation': _WXYZ, 'angular_velocity': _XYZ, 'linear_acceleration': _XYZ})
            self._add_vectors(
                ODOM, {'position': _XYZ, 'orientation': _WXYZ, 'velocity': _XYZ, 'angular_velocity': _XYZ}
            )
        self.poses = tuple(poses)
        for name in self.poses:
            self._add_vectors(name, {'position': _XYZ, 'orientation': _WXYZ})
        if self.laser is not None:
            self._add(SCAN, [f'{SCAN}/{ray}' for ray in range(len(self.laser.places))])

    def read(self, *, held: bool) -> Array:
        """
        Return the current measurements, shape (values,).

        Args:
            held: whether the robot is held, so that it does not accelerate.
        """
        joints = self._joints
        parts = [joints.position[0], joints.velocity[0], joints.effort[0]]
        if self.has_base:
            parts += self._base(held=held)
        for name in self.poses:
            position, axes = self._sim.pose(name)
            parts += [position[0], quaternions(axes[:1])[0]]
        if self.laser is not None:
            parts.append(self._ranges())
        return np.concatenate(parts)

    def _base(self, *, held: bool) -> list[Array]:
        sim = self._sim
        pose, motion = sim.free_joint.qpos[0], sim.base
        acceleration = np.zeros((1, 3)) if held else self._qacc[:, self._dof : self._dof + 3]
        felt = to_frame(matrices(pose[None, 3:7]), acceleration - sim.model.opt.gravity)
        turning = motion.angular_velocity[0]
        return [pose[3:7], turning, felt[0], pose[:3], pose[3:7], motion.velocity[0], turning]

    def _ranges(self) -> Array:
        """Return the ranges; a ray that hits nothing has the largest range."""
        assert self.laser is not None
        ranges = self._sim.sensordata[0, self.laser.places]
        found: Array = np.where(ranges < 0, self.laser.range_max, ranges)
        return found

    def _add_vectors(self, sensor: str, vectors: dict[str, Sequence[str]]) -> None:
        for vector, axes in vectors.items():
            self._add(f'{sensor}/{vector}', [f'{sensor}/{vector}.{axis}' for axis in axes])

    def _add(self, part: str, names: Sequence[str]) -> None:
        self.places[part] = slice(len(self.names), len(self.names) + len(names))
        self.names += names
