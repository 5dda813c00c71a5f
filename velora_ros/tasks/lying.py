"""Where a robot lies with its motors off: the start of a run in which it must stand up first."""

import copy

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError

Array = npt.NDArray[np.float64]

STANDING, LYING, ON_ITS_SIDE = 'standing', 'lying', 'on_its_side'
STARTS = (STANDING, LYING, ON_ITS_SIDE)
SETTLING_S = 4.0
"""Time in which a robot without torques comes to rest [s]."""
_DAMPING = 2.0  # N*m*s/rad: joints without motors fold slowly, as geared ones do


def lying(model: mujoco.MjModel, standing: Array, start: str) -> Array:
    """
    Return the positions of a robot that has collapsed, shape (nq,).

    Args:
        model: the robot.
        standing: its positions while it stands, shape (nq,).
        start: ``lying``, or ``on_its_side`` if it is tilted by a quarter turn about its x axis before.

    Raises:
        TaskError: the model has no floating base.
    """
    free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
    if not len(free):
        raise TaskError(f"a robot without a floating base cannot start '{start}'; start it '{STANDING}'.")
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
