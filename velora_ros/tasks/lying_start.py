"""The pose of a robot that lies with its motors off: the start of a run in which it must first stand up."""

import copy

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError
from velora_ros.tasks.mujoco_simulations import Sim

Array = npt.NDArray[np.float64]

STANDING, LYING, ON_ITS_SIDE = 'standing', 'lying', 'on_its_side'
STARTS = (STANDING, LYING, ON_ITS_SIDE)
SETTLING_S = 4.0
"""Time in which a robot without torques comes to rest [s]."""
NEAR_RAD, NEAR_S = 0.25, 0.5
"""
A robot that was lying has stood up when all joints have been this near to the start pose [rad] for this long [s].

Servos of finite stiffness sag under its weight: the quadruped's calves by 0.15 rad.
"""
_DAMPING = 2.0  # N*m*s/rad: joints without motors fold slowly, like geared ones


def lying(model: mujoco.MjModel, standing: Array, start: str) -> Array:
    """
    Return the positions of a robot that has collapsed, shape (nq,).

    Args:
        model: the robot.
        standing: its positions while it stands, shape (nq,).
        start: ``lying``, or ``on_its_side`` to tilt it by a quarter turn about its x axis before it falls.

    Raises:
        TaskError: the model has no floating base.
    """
    free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
    if not len(free):
        raise TaskError(f"a robot without a floating base cannot start '{start}'; set start to '{STANDING}'.")
    limp = copy.copy(model)
    limp.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
    data, place = mujoco.MjData(limp), int(model.jnt_qposadr[free[0]])
    limp.dof_damping[6:] = np.maximum(limp.dof_damping[6:], _DAMPING)
    data.qpos[:] = standing
    if start == ON_ITS_SIDE:
        data.qpos[place + 3 : place + 7] = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]
    for _ in range(round(SETTLING_S / limp.opt.timestep)):
        mujoco.mj_step(limp, data)
    found: Array = data.qpos.copy()
    return found


class StandingUp:
    """
    Judges whether a robot stands; a robot that was lying at the start of its episode must stand up first.

    Args:
        sim: the robot, one simulation.
    """

    def __init__(self, sim: Sim) -> None:
        self._sim, self._joints = sim, sim.joints('*')
        self._stands, self._near = True, 0

    def begin(self, *, stands: bool) -> None:
        """Begin an episode with a robot that stands or lies."""
        self._stands, self._near = stands, 0

    def judge(self) -> bool:
        """Return whether the robot stands; call this once a period."""
        if not self._stands:
            away = np.abs(self._joints.position - self._sim.start_qpos[self._joints.places]).max()
            self._near = self._near + 1 if away < NEAR_RAD else 0
            self._stands = self._near * self._sim.period >= NEAR_S
        return self._stands
