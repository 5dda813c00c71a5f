"""What a policy commands. Actions are in [-1, 1]; actuators, and the robot's messages, get SI units."""

from collections.abc import Mapping

import numpy as np

from velora_ros.errors import TaskError
from velora_ros.tasks.actions.joint_efforts import JointEfforts
from velora_ros.tasks.actions.joint_targets import ABSOLUTE, INCREMENT, JointTargets
from velora_ros.tasks.actions.twist import Twist
from velora_ros.tasks.name_patterns import PerName


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
) -> JointTargets:
    """
    Return position targets of joints: clip(start pose + scale * action, limits), or increments of them.

    Args:
        scale: distance of a target from the start pose at an action of 1 [rad or m]; with increments, the speed of the
            target at an action of 1 [rad/s or m/s]. A number, or a number for each pattern of joints.
        joints: pattern of the joints.
        stiffness: stiffness of the position servos [N*m/rad or N/m]; None: the model's actuators are kept.
        damping: damping of the position servos [N*m*s/rad or N*s/m].
        effort_limit: largest torque or force [N*m or N]; it also bounds the distance of a target from the joint.
        mode: ``absolute`` or ``increment``.
        speed_limit: largest speed of a target, with increments [rad/s or m/s].
        limits: lowest and highest target by patterns of joints, within the model's range, for example to keep an
            arm from folding onto itself [rad or m]; all other joints have the model's range.
    """
    if mode not in (ABSOLUTE, INCREMENT):
        raise TaskError(f"joint_targets: the mode is '{mode}'; it must be {ABSOLUTE} or {INCREMENT}.")
    return JointTargets(scale, joints, stiffness, damping, effort_limit, mode, speed_limit, limits)


def joint_efforts(scale: PerName | None = None, *, joints: str = '*') -> JointEfforts:
    """
    Return torques or forces of joints: scale * action.

    Args:
        scale: effort at an action of 1 [N*m or N]; None: the limit of the joint's actuator in the model.
        joints: pattern of the joints.
    """
    return JointEfforts(scale, joints)


def twist(
    left: str, right: str, *, radius: float, separation: float, linear: float, angular: float, gain: float = 1.0
) -> Twist:
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
