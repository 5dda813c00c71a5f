"""Actions that are position targets of joints, absolute or as increments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from velora_ros.contract.joint_signals import UNITS, Signal, signal_name
from velora_ros.errors import TaskError
from velora_ros.spec import RobotCommand
from velora_ros.tasks.actions.joint_actuators import actuator_of, actuators_on
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.name_patterns import PerName, narrowed, values
from velora_ros.tasks.robot_model import RobotModel

ABSOLUTE, INCREMENT = 'absolute', 'increment'


@dataclass(frozen=True)
class JointTargets:
    """The arguments of :func:`velora_ros.tasks.act.joint_targets`."""

    scale: PerName
    joints: str = '*'
    stiffness: PerName | None = None
    damping: PerName | None = None
    effort_limit: PerName | None = None
    mode: str = ABSOLUTE
    speed_limit: PerName | None = None
    limits: Mapping[str, tuple[float, float]] | None = None

    def prepare(self, model: RobotModel) -> None:
        """Give each joint a position servo with ``stiffness`` and ``damping``; without these, keep the actuators."""
        names = model.joint_names(self.joints, 'joint_targets')
        if self.stiffness is None:
            return
        stiffness, damping = (values(gain or 0.0, names, what) for gain, what in (
            (self.stiffness, 'joint_targets: stiffness'), (self.damping, 'joint_targets: damping')))  # fmt: skip
        limits = None if self.effort_limit is None else values(self.effort_limit, names, 'joint_targets: effort_limit')
        for i, name in enumerate(names):
            actuator = actuator_of(model, name)
            actuator.set_to_position(kp=stiffness[i], kv=damping[i])
            actuator.gear = [1, 0, 0, 0, 0, 0]
            actuator.ctrllimited = 0
            if limits is not None:
                actuator.forcelimited, actuator.forcerange = 1, [-limits[i], limits[i]]

    def bind(self, sim: Sim) -> 'TargetDrive':
        """Return this action, bound to simulations."""
        return TargetDrive(sim, self)


class TargetDrive:
    """Actions that are joint targets, bound to simulations; see :class:`velora_ros.tasks.actions.protocols.Drive`."""

    source = 'JointTrajectory or position targets'

    def __init__(self, sim: Sim, action: JointTargets) -> None:
        self._sim, self._joints = sim, sim.joints(action.joints)
        self._actuators = actuators_on(sim, self._joints, 'joint_targets')
        self.servos: Ids | None = self._actuators
        model, names = sim.model, self._joints.names
        self._servo_stiffness = -model.actuator_biasprm[self._actuators, 1]
        gains, gears = model.actuator_gainprm[self._actuators, 0], model.actuator_gear[self._actuators, 0]
        other = (self._servo_stiffness <= 0) | (gains != self._servo_stiffness) | (gears != 1)
        if other.any():
            name = names[int(np.argmax(other))]
            raise TaskError(
                f"joint_targets: the actuator of '{name}' is not a position servo; give stiffness and damping."
            )
        if np.isinf(self._joints.low).any():
            name = names[int(np.argmax(np.isinf(self._joints.low)))]
            raise TaskError(f"joint_targets: the joint '{name}' has no limits; give it a range in the model.")
        bounded = model.actuator_ctrllimited[self._actuators].astype(bool)
        lowest, highest = np.where(bounded, model.actuator_ctrlrange[self._actuators].T, [[-np.inf], [np.inf]])
        model_range = np.maximum(self._joints.low, lowest), np.minimum(self._joints.high, highest)
        self._low, self._high = narrowed(action.limits or {}, names, *model_range, 'joint_targets: limits')
        self._increment = action.mode == INCREMENT
        self._scale = values(action.scale, names, 'joint_targets: scale')
        if self._increment and action.speed_limit is not None:
            self._scale = np.minimum(self._scale, values(action.speed_limit, names, 'joint_targets: speed_limit'))
        limited = model.actuator_forcelimited[self._actuators].astype(bool)
        if not limited.all():
            raise TaskError(
                f"joint_targets: the actuator of '{names[int(np.argmin(limited))]}' has no limits; "
                'give effort_limit, or a forcerange in the model.'
            )
        self._reach = model.actuator_forcerange[self._actuators, 1] / self._servo_stiffness
        self._neutral = sim.start_qpos[self._joints.places]
        rows = zip(names, self._joints.hinges, self._scale.tolist(), self._neutral.tolist(), strict=True)
        self.signals: Sequence[Signal] = [self._signal(*row) for row in rows]
        damping, limit = -model.actuator_biasprm[self._actuators, 2], model.actuator_forcerange[self._actuators, 1]
        numbers = (self._low, self._high, self._servo_stiffness, damping, limit, self._neutral)
        self.command: RobotCommand | None = RobotCommand(
            'Float64MultiArray', names, 'position', action.mode, *(tuple(one.tolist()) for one in numbers)
        )

    def begin(self, ids: Ids) -> None:
        """Command the current pose in simulations whose episode begins."""
        present = self._joints.position[ids]
        self._targets[ids] = present
        self._sim.ctrl[np.ix_(ids, self._actuators)] = present

    def apply(self, action: Array) -> None:
        """Write the targets of actions in [-1, 1], (n, action), within the joints' limits and the servos' effort."""
        if self._increment:
            self.follow(self._targets + self._scale * self._sim.period * action)
        else:
            self.follow(self._neutral + self._scale * action)

    def follow(self, command: Array) -> None:
        """Write targets, shape (n, action) [rad or m], within the joints' limits and the servos' effort."""
        place, targets = self._joints.position, self._targets
        wanted = np.minimum(np.maximum(command, place - self._reach), place + self._reach)
        targets[:] = np.minimum(np.maximum(wanted, self._low), self._high)
        self._sim.ctrl[:, self._actuators] = targets

    def action_of(self, command: Array) -> Array:
        """Return the actions that result in these targets, shape (n, action)."""
        if self._increment:
            return np.asarray((command - self._targets) / (self._scale * self._sim.period))
        found: Array = (command - self._neutral) / self._scale
        return found

    def relax(self) -> None:
        """Keep the targets, so that the servos hold the joints."""

    @property
    def _targets(self) -> Array:
        return self._sim.remember('joint_targets', len(self._neutral))

    def _signal(self, name: str, hinge: bool, scale: float, rest: float) -> Signal:
        interface = 'velocity' if self._increment else 'position'
        return Signal(
            signal_name(name, interface), UNITS[interface][int(hinge)], scale, 0.0 if self._increment else rest
        )
