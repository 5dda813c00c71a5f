"""The actuators that drive joints, in a model and in simulations."""

import mujoco
import numpy as np

from velora_ros.errors import TaskError
from velora_ros.tasks.mujoco_simulations import Ids, Sim
from velora_ros.tasks.named_parts import Joints
from velora_ros.tasks.robot_model import RobotModel


def actuator_of(model: RobotModel, joint: str) -> mujoco.MjsActuator:
    """Return the actuator of a joint in a model that is not compiled yet; add one if the joint has none."""
    kind = mujoco.mjtTrn.mjTRN_JOINT
    found = next((one for one in model.spec.actuators if one.target == joint and one.trntype == kind), None)
    return found or model.spec.add_actuator(name=joint, target=joint, trntype=kind)


def actuator_id(sim: Sim, joint: str) -> int | None:
    """Return the id of the actuator that drives a joint; None if there is none."""
    model = sim.model
    on = (model.actuator_trntype == int(mujoco.mjtTrn.mjTRN_JOINT)) & (
        model.actuator_trnid[:, 0] == model.joint(joint).id
    )
    return int(np.argmax(on)) if on.any() else None


def actuators_on(sim: Sim, joints: Joints, term: str) -> Ids:
    """
    Return the ids of the actuators that drive joints, one for each joint; ``term`` begins the error message.

    Raises:
        TaskError: a joint has no actuator.
    """
    found = [actuator_id(sim, name) for name in joints.names]
    if None in found:
        raise TaskError(
            f"{term}: the joint '{joints.names[found.index(None)]}' has no actuator; add one to the model, or give "
            'scale (joint_efforts), or stiffness and effort_limit (joint_targets).'
        )
    return np.array(found, np.intp)
