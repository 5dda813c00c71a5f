"""Loads the robot that the page shows: its model, and the ranges of the velocity command of its task."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import make, read_robot_file
from velora_ros.nodes.view.parameters import Ranges
from velora_ros.utils.task_names import is_task_reference

START_KEYS = ('home', 'stand')
BASE_JOINT = 'base'


@dataclass(frozen=True)
class DisplayedRobot:
    """
    The robot that the page shows.

    Args:
        name: the robot's name.
        model: the compiled MuJoCo model, which is shown but not simulated.
        start: ``qpos`` before any state arrives, shape (nq,).
        ranges: lowest and highest velocity along x and y [m/s] and about z [rad/s] in the task's command; None if the
            robot has no task or no velocity command.
    """

    name: str
    model: Any
    start: npt.NDArray[np.float64]
    ranges: Ranges | None = None


def load(reference: str) -> DisplayedRobot:
    """
    Load a robot; ``reference`` is a task's name, the path of a robot file, or an environment's id.

    Raises:
        VeloraError: there is no such task, file or environment, or it cannot be loaded.
    """
    if is_task_reference(reference):
        return _of_task(reference)
    if read_robot_file.is_robot_file(reference):
        return _of_file(reference)
    return _of_environment(reference)


def from_description(urdf: str) -> DisplayedRobot:
    """
    Load a robot from the text of ``robot_description``, with a free joint at its base so that it can move.

    Raises:
        UnsupportedEnvironmentError: MuJoCo cannot read the description.
    """
    try:
        root = ElementTree.fromstring(urdf)
        read_robot_file.find_meshes(root, Path())
        _keep_root_and_visuals(root)
        spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding='unicode'))
        base = spec.worldbody.first_body()
        if base is not None and base.name != 'world' and not any(joint.type == _FREE for joint in base.joints):
            base.add_freejoint(name=BASE_JOINT)
        model = spec.compile()
    except (ElementTree.ParseError, ValueError) as error:
        raise UnsupportedEnvironmentError(
            f"the topic 'robot_description' cannot be shown: {_one_line(error)}; set view_node's parameter 'model' to "
            'an MJCF or URDF file that MuJoCo can read.'
        ) from error
    return DisplayedRobot(root.get('name', 'robot'), _without_mocap(model), start_pose(model))


def start_pose(model: Any) -> npt.NDArray[np.float64]:
    """Return ``qpos``, shape (nq,), of the keyframe ``home``, ``stand`` or the first one, else of ``qpos0``."""
    names = [model.key(index).name.lower() for index in range(model.nkey)]
    index = next((names.index(name) for name in START_KEYS if name in names), 0)
    return np.array(model.key_qpos[index] if model.nkey else model.qpos0)


_FREE = mujoco.mjtJoint.mjJNT_FREE
# Links may have no mass, which only a simulation needs.
_ANY_MASS = {'boundmass': '0.001', 'boundinertia': '0.001', 'balanceinertia': 'true'}


def _of_task(reference: str) -> DisplayedRobot:
    from velora_ros.tasks.find_task import find  # noqa: PLC0415 - only a task needs the tasks
    from velora_ros.tasks.robot_model import RobotModel  # noqa: PLC0415

    task = find(reference)
    model = RobotModel(task.model).compiled()
    bounded = [one for one in task.commands.values() if len(one.low) == len(one.high) == 3]
    low, high = (
        [float(value) for value in side] for side in ((bounded[0].low, bounded[0].high) if bounded else ((), ()))
    )
    ranges = ((low[0], high[0]), (low[1], high[1]), (low[2], high[2])) if bounded else None
    return DisplayedRobot(task.name or reference, _without_mocap(model), start_pose(model), ranges)


def _of_file(path: str) -> DisplayedRobot:
    try:
        model = read_robot_file.read(str(Path(path).expanduser().resolve()))
    except (ValueError, OSError) as error:
        raise UnsupportedEnvironmentError(
            f"the robot file '{path}' cannot be shown: {_one_line(error)}; give the path of an MJCF or URDF file."
        ) from error
    return DisplayedRobot(Path(path).name, _without_mocap(model), start_pose(model))


def _of_environment(env_id: str) -> DisplayedRobot:
    env = make(env_id)
    try:
        model = getattr(env.unwrapped, 'model', None)
        if not isinstance(model, mujoco.MjModel):
            raise UnsupportedEnvironmentError(
                f"the environment '{env_id}' has no MuJoCo model, so it cannot be shown; set view_node's "
                "parameter 'model' to the id of a MuJoCo environment, a task or a robot file."
            )
        start = np.array(getattr(env.unwrapped, 'init_qpos', model.qpos0), np.float64)
        return DisplayedRobot(env_id, _without_mocap(model), start)
    finally:
        env.close()


def _without_mocap(model: Any) -> Any:
    """Make the model's mocap bodies invisible, because no topic has the positions of these goals and obstacles."""
    for geom in range(model.ngeom):
        if model.body_mocapid[model.body_rootid[model.geom_bodyid[geom]]] >= 0:
            model.geom_rgba[geom, 3] = 0
            model.geom_matid[geom] = -1
    return model


def _keep_root_and_visuals(root: ElementTree.Element) -> None:
    """Make MuJoCo keep the first link as a movable body, keep visual shapes, and accept links of any mass."""
    extension = root.find('mujoco')
    extension = ElementTree.SubElement(root, 'mujoco') if extension is None else extension
    compiler = extension.find('compiler')
    compiler = ElementTree.SubElement(extension, 'compiler') if compiler is None else compiler
    compiler.attrib.update(fusestatic='false', discardvisual='false', strippath='false', **_ANY_MASS)


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split()).rstrip('.')
