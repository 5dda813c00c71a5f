"""What a policy commands. Actions are in [-1, 1]; actuators, and the robot's messages, get SI units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np

from velora_ros.contract.joint_signals import UNITS, Signal, signal_name
from velora_ros.errors import TaskError
from velora_ros.spec import RobotCommand
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.name_patterns import PerName, narrowed, values
from velora_ros.tasks.named_parts import Joints
from velora_ros.tasks.robot_model import RobotModel

ABSOLUTE, INCREMENT = 'absolute', 'increment'


class Drive(Protocol):
    """An action that is bound to simulations."""

    signals: Sequence[Signal]
    """Name, unit, scale and offset of each action."""
    servos: Ids | None
    """The position servo of each action, by its place among the actuators; None if actions are not positions."""
    source: str
    """Message type that carries it to the robot."""

    @property
    def command(self) -> RobotCommand | None:
        """What a robot receives, for the policy file; None if that is not known."""

    def begin(self, ids: Ids) -> None:
        """Command the current pose in simulations whose episode begins."""

    def apply(self, action: Array) -> None:
        """Write the controls of actions in [-1, 1], shape (n, action)."""

    def follow(self, command: Array) -> None:
        """Write the controls for commands in the robot driver's form, in SI units, shape (n, action)."""

    def action_of(self, command: Array) -> Array:
        """Return the actions that give such commands, shape (n, action); outside [-1, 1] if no action gives them."""

    def relax(self) -> None:
        """Withdraw the command: positions are kept, speeds and efforts become zero."""


class Action(Protocol):
    """What a task's policy commands; see :func:`joint_targets`, :func:`joint_efforts` and :func:`twist`."""

    def prepare(self, model: RobotModel) -> None:
        """Add or change the model's actuators."""

    def bind(self, sim: Sim) -> Drive:
        """Return the action for these simulations."""


def joint_targets(
    scale: PerName,
    *,
    joints: str = '*',
    stiffness: PerName | None = None,
    damping: PerName | None = None,
    effort_limit: PerName | None = None,
    mode: str = ABSOLUTE,
    speed_limit: PerName | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> 'JointTargets':
    """
    Return position targets of joints: clip(start pose + scale * action, limits), or increments of them.

    Args:
        scale: distance of a target from the start pose at an action of 1 [rad or m]; of increments, the speed of the
            target at an action of 1 [rad/s or m/s]. A number, or one for each pattern of joints.
        joints: pattern of the joints.
        stiffness: stiffness of the position servos [N*m/rad or N/m]; None: the model's actuators are kept.
        damping: damping of the position servos [N*m*s/rad or N*s/m].
        effort_limit: largest torque or force [N*m or N]; it also bounds the distance of a target from the joint.
        mode: ``absolute`` or ``increment``.
        speed_limit: largest speed of a target, with increments [rad/s or m/s].
        limits: lowest and highest target by patterns of joints, inside of the model's range, for example to keep an
            arm from folding onto itself [rad or m]; all other joints have the model's range.
    """
    if mode not in (ABSOLUTE, INCREMENT):
        raise TaskError(f"joint_targets: the mode is '{mode}'; valid are {ABSOLUTE} and {INCREMENT}.")
    return JointTargets(scale, joints, stiffness, damping, effort_limit, mode, speed_limit, limits)


def joint_efforts(scale: PerName | None = None, *, joints: str = '*') -> 'JointEfforts':
    """
    Return torques or forces of joints: scale * action.

    Args:
        scale: effort at an action of 1 [N*m or N]; None: the limit of the joint's actuator in the model.
        joints: pattern of the joints.
    """
    return JointEfforts(scale, joints)


def twist(
    left: str, right: str, *, radius: float, separation: float, linear: float, angular: float, gain: float = 1.0
) -> 'Twist':
    """
    Return speeds of a differential drive, as ``cmd_vel`` carries them: linear.x [m/s] and angular.z [rad/s].

    Args:
        left: pattern of the left wheels' joints.
        right: pattern of the right wheels' joints.
        radius: radius of the wheels [m].
        separation: distance between left and right wheels [m].
        linear: linear speed at an action of 1 [m/s].
        angular: angular speed at an action of 1 [rad/s].
        gain: gain of the wheels' velocity servos [N*m*s/rad].
    """
    for name, value in (('radius', radius), ('separation', separation), ('linear', linear), ('angular', angular)):
        if not (np.isfinite(value) and value > 0):
            raise TaskError(f'twist: {name} is {value}; it must be a positive number.')
    return Twist(left, right, radius, separation, linear, angular, gain)


@dataclass(frozen=True)
class JointTargets:
    """See :func:`joint_targets`."""

    scale: PerName
    joints: str = '*'
    stiffness: PerName | None = None
    damping: PerName | None = None
    effort_limit: PerName | None = None
    mode: str = ABSOLUTE
    speed_limit: PerName | None = None
    limits: Mapping[str, tuple[float, float]] | None = None

    def prepare(self, model: RobotModel) -> None:
        """Give each joint a position servo with the stiffness and damping, if given; else keep the model's."""
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
        """Return the action for these simulations."""
        return TargetDrive(sim, self)


class TargetDrive:
    """Position targets of the joints of these simulations."""

    source = 'JointTrajectory or position targets'

    def __init__(self, sim: Sim, action: JointTargets) -> None:
        self._sim, self._joints = sim, sim.joints(action.joints)
        self._actuators = actuators_on(sim, self._joints, 'joint_targets')
        self.servos: Ids | None = self._actuators
        model, names = sim.model, self._joints.names
        self._servo_stiffness = -model.actuator_biasprm[self._actuators, 1]
        if (self._servo_stiffness <= 0).any():
            name = names[int(np.argmax(self._servo_stiffness <= 0))]
            raise TaskError(
                f"joint_targets: the actuator of '{name}' is not a position servo; give stiffness and damping."
            )
        if np.isinf(self._joints.low).any():
            name = names[int(np.argmax(np.isinf(self._joints.low)))]
            raise TaskError(f"joint_targets: the joint '{name}' has no limits; give it a range in the model.")
        model_range = self._joints.low, self._joints.high
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
        """Write the targets of actions in [-1, 1], within the joints' limits and the servos' effort."""
        if self._increment:
            self.follow(self._targets + self._scale * self._sim.period * action)
        else:
            self.follow(self._neutral + self._scale * action)

    def follow(self, command: Array) -> None:
        """Write targets [rad or m], within the joints' limits and the servos' effort."""
        place, targets = self._joints.position, self._targets
        wanted = np.minimum(np.maximum(command, place - self._reach), place + self._reach)
        targets[:] = np.minimum(np.maximum(wanted, self._low), self._high)
        self._sim.ctrl[:, self._actuators] = targets

    def action_of(self, command: Array) -> Array:
        """Return the actions that give these targets."""
        if self._increment:
            return np.asarray((command - self._targets) / (self._scale * self._sim.period))
        found: Array = (command - self._neutral) / self._scale
        return found

    def relax(self) -> None:
        """Keep the targets."""

    @property
    def _targets(self) -> Array:
        return self._sim.remember('joint_targets', len(self._neutral))

    def _signal(self, name: str, hinge: bool, scale: float, rest: float) -> Signal:
        interface = 'velocity' if self._increment else 'position'
        return Signal(
            signal_name(name, interface), UNITS[interface][int(hinge)], scale, 0.0 if self._increment else rest
        )


@dataclass(frozen=True)
class JointEfforts:
    """See :func:`joint_efforts`."""

    scale: PerName | None = None
    joints: str = '*'

    def prepare(self, model: RobotModel) -> None:
        """Give each joint without an actuator a motor."""
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
        """Return the action for these simulations."""
        return EffortDrive(sim, self)


class EffortDrive:
    """Efforts of the joints of these simulations."""

    source = 'Float64MultiArray of efforts'
    servos: Ids | None = None

    def __init__(self, sim: Sim, action: JointEfforts) -> None:
        self._sim, joints = sim, sim.joints(action.joints)
        driven = [name for name in joints.names if action.scale is not None or actuator_id(sim, name) is not None]
        joints = Joints(sim.batch, driven) if driven else joints
        self._actuators = actuators_on(sim, joints, 'joint_efforts')
        model = sim.model
        gear = model.actuator_gear[self._actuators, 0]
        limited = model.actuator_ctrllimited[self._actuators].astype(bool)
        if not limited.all():
            name = joints.names[int(np.argmin(limited))]
            raise TaskError(
                f"joint_efforts: the actuator of '{name}' has no limits; give scale, or a ctrlrange in the model."
            )
        self._control = model.actuator_ctrlrange[self._actuators, 1]
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
        """Write the efforts of actions in [-1, 1]."""
        self._sim.ctrl[:, self._actuators] = self._control * action

    def follow(self, command: Array) -> None:
        """Write efforts [N*m or N]."""
        self._sim.ctrl[:, self._actuators] = command / self._gear

    def action_of(self, command: Array) -> Array:
        """Return the actions that cause these efforts."""
        found: Array = command / (self._control * self._gear)
        return found

    def relax(self) -> None:
        """Command no effort."""
        self._sim.ctrl[:, self._actuators] = 0


@dataclass(frozen=True)
class Twist:
    """See :func:`twist`."""

    left: str
    right: str
    radius: float
    separation: float
    linear: float
    angular: float
    gain: float = 1.0

    def prepare(self, model: RobotModel) -> None:
        """Give each wheel a velocity servo."""
        for pattern in (self.left, self.right):
            for name in model.joint_names(pattern, 'twist'):
                actuator = actuator_of(model, name)
                actuator.set_to_velocity(kv=self.gain)
                actuator.gear = [1, 0, 0, 0, 0, 0]
                actuator.ctrllimited = 0

    def bind(self, sim: Sim) -> 'TwistDrive':
        """Return the action for these simulations."""
        return TwistDrive(sim, self)


class TwistDrive:
    """Wheel speeds of a differential drive."""

    source = 'TwistStamped or Twist, cmd_vel'
    servos: Ids | None = None

    def __init__(self, sim: Sim, action: Twist) -> None:
        self._sim, self._action = sim, action
        self._left = actuators_on(sim, sim.joints(action.left), 'twist')
        self._right = actuators_on(sim, sim.joints(action.right), 'twist')
        self.signals: Sequence[Signal] = [
            Signal('linear.x', 'm/s', action.linear),
            Signal('angular.z', 'rad/s', action.angular),
        ]
        self._largest = np.array([action.linear, action.angular])
        low, high = tuple((-self._largest).tolist()), tuple(self._largest.tolist())
        self.command: RobotCommand | None = RobotCommand(
            'TwistStamped', ('linear.x', 'angular.z'), 'velocity', low=low, high=high
        )

    def begin(self, ids: Ids) -> None:
        """Command no speed in simulations whose episode begins."""
        self._sim.ctrl[np.ix_(ids, np.concatenate([self._left, self._right]))] = 0

    def apply(self, action: Array) -> None:
        """Write the wheels' speeds [rad/s] of actions in [-1, 1]."""
        self.follow(self._largest * action)

    def follow(self, command: Array) -> None:
        """Write the wheels' speeds [rad/s] of a linear [m/s] and an angular speed [rad/s]."""
        drive = self._action
        speed, turn = command[:, :1], drive.separation / 2 * command[:, 1:]
        self._sim.ctrl[:, self._left] = (speed - turn) / drive.radius
        self._sim.ctrl[:, self._right] = (speed + turn) / drive.radius

    def action_of(self, command: Array) -> Array:
        """Return the actions that give these speeds."""
        found: Array = command / self._largest
        return found

    def relax(self) -> None:
        """Command no speed."""
        self.begin(self._sim.everyone)


def actuator_of(model: RobotModel, joint: str) -> mujoco.MjsActuator:
    """Return the actuator of a joint in a model that is not compiled; a new one if it has none."""
    kind = mujoco.mjtTrn.mjTRN_JOINT
    found = next((one for one in model.spec.actuators if one.target == joint and one.trntype == kind), None)
    return found or model.spec.add_actuator(name=joint, target=joint, trntype=kind)


def actuator_id(sim: Sim, joint: str) -> int | None:
    """Return the actuator that drives a joint; None if there is none."""
    model = sim.model
    on = (model.actuator_trntype == int(mujoco.mjtTrn.mjTRN_JOINT)) & (
        model.actuator_trnid[:, 0] == model.joint(joint).id
    )
    return int(np.argmax(on)) if on.any() else None


def actuators_on(sim: Sim, joints: Joints, term: str) -> Ids:
    """
    Return the actuators that drive joints, one for each.

    Raises:
        TaskError: a joint has none.
    """
    found = [actuator_id(sim, name) for name in joints.names]
    if None in found:
        raise TaskError(f"{term}: the joint '{joints.names[found.index(None)]}' has no actuator; add one to the model.")
    return np.array(found, np.intp)
