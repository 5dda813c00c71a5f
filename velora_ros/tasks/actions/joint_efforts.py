"""Actions that are torques or forces of joints."""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import UNITS, Signal, signal_name
from velora_ros.errors import TaskError
from velora_ros.spec import RobotCommand
from velora_ros.tasks.actions.joint_actuators import actuator_id, actuator_of, actuators_on
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.name_patterns import PerName, values
from velora_ros.tasks.named_parts import Joints
from velora_ros.tasks.robot_model import RobotModel


@dataclass(frozen=True)
class JointEfforts:
    """The arguments of :func:`velora_ros.tasks.act.joint_efforts`."""

    scale: PerName | None = None
    joints: str = '*'

    def prepare(self, model: RobotModel) -> None:
        """Give each joint a motor with the limit ``scale``; without a scale, keep the model's actuators."""
        names = model.joint_names(self.joints, 'joint_efforts')
        if self.scale is None:
            return
        scale = values(self.scale, names, 'joint_efforts: scale')
        for name, effort in zip(names, scale, strict=True):
            actuator = actuator_of(model, name)
            actuator.set_to_motor()
            actuator.gear = [1, 0, 0, 0, 0, 0]
            actuator.ctrllimited, actuator.ctrlrange = 1, [-effort, effort]

    def bind(self, sim: Sim) -> 'EffortDrive':
        """Return this action, bound to simulations."""
        return EffortDrive(sim, self)


class EffortDrive:
    """Actions that are joint efforts, bound to simulations; see :class:`velora_ros.tasks.actions.protocols.Drive`."""

    source = 'Float64MultiArray of efforts'
    servos: Ids | None = None

    def __init__(self, sim: Sim, action: JointEfforts) -> None:
        self._sim, joints = sim, sim.joints(action.joints)
        driven = [name for name in joints.names if action.scale is not None or actuator_id(sim, name) is not None]
        joints = Joints(sim.batch, driven) if driven else joints
        self._actuators = actuators_on(sim, joints, 'joint_efforts')
        model = sim.model
        gear = model.actuator_gear[self._actuators, 0] * model.actuator_gainprm[self._actuators, 0]
        motors = _are_motors(model)[self._actuators]
        if not motors.all():
            name = joints.names[int(np.argmin(motors))]
            raise TaskError(f"joint_efforts: the actuator of '{name}' is not a motor; give scale, which makes it one.")
        limited = model.actuator_ctrllimited[self._actuators].astype(bool)
        if not limited.all():
            name = joints.names[int(np.argmin(limited))]
            raise TaskError(
                f"joint_efforts: the actuator of '{name}' has no limits; give scale, or a ctrlrange in the model."
            )
        lowest, self._control = model.actuator_ctrlrange[self._actuators].T
        if (lowest != -self._control).any():
            which = int(np.argmax(lowest != -self._control))
            raise TaskError(
                f"joint_efforts: the actuator of '{joints.names[which]}' takes {lowest[which]:g} to "
                f'{self._control[which]:g}; give scale, or a ctrlrange from -x to x in the model.'
            )
        self.signals: Sequence[Signal] = [
            Signal(signal_name(name, 'effort'), UNITS['effort'][int(hinge)], float(effort))
            for name, hinge, effort in zip(joints.names, joints.hinges, self._control * gear, strict=True)
        ]
        self._gear, efforts = gear, np.abs(self._control * gear)
        low, high = tuple((-efforts).tolist()), tuple(efforts.tolist())
        self.command: RobotCommand | None = RobotCommand(
            'Float64MultiArray', joints.names, 'effort', low=low, high=high
        )

    def begin(self, ids: Ids) -> None:
        """Command no effort in simulations whose episode begins."""
        self._sim.ctrl[np.ix_(ids, self._actuators)] = 0

    def apply(self, action: Array) -> None:
        """Write the efforts of actions in [-1, 1], shape (n, action)."""
        self._sim.ctrl[:, self._actuators] = self._control * action

    def follow(self, command: Array) -> None:
        """Write efforts, shape (n, action) [N*m or N]."""
        self._sim.ctrl[:, self._actuators] = command / self._gear

    def action_of(self, command: Array) -> Array:
        """Return the actions that result in these efforts, shape (n, action)."""
        found: Array = command / (self._control * self._gear)
        return found

    def relax(self) -> None:
        """Command no effort."""
        self._sim.ctrl[:, self._actuators] = 0


def _are_motors(model: mujoco.MjModel) -> npt.NDArray[np.bool_]:
    """Return which actuators have a force that depends on their control alone, shape (actuator,)."""
    fixed = model.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_FIXED)
    found: npt.NDArray[np.bool_] = fixed & ~model.actuator_biasprm[:, :3].any(axis=1)
    return found
