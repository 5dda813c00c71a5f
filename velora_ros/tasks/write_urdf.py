"""A URDF of a MuJoCo model, so that RViz and other ROS tools show the simulated robot."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError
from velora_ros.tasks.urdf_shapes import about, number, numbers, product, roll_pitch_yaw, rotated, shapes_of

Array = npt.NDArray[np.float64]

_HINGE, _SLIDE, _FREE, _BALL = (
    int(getattr(mujoco.mjtJoint, f'mjJNT_{kind}')) for kind in ('HINGE', 'SLIDE', 'FREE', 'BALL')
)
_KINDS = mujoco.mjtGeom
_PLANES = (int(_KINDS.mjGEOM_PLANE), int(_KINDS.mjGEOM_HFIELD))
_WORLD = 0
_UNLIMITED_SPEED = 100.0  # rad/s or m/s: a URDF needs a speed limit, and a MuJoCo model has none
_UNLIMITED_EFFORT = 1000.0  # N*m or N: the effort limit of actuators without one


class Frame(NamedTuple):
    """An additional frame of the robot, for example of a sensor, with the axes of the body on which it is mounted."""

    name: str
    body: int
    position: Array
    """Position in the frame of the body, shape (3,) [m]."""


def to_urdf(model: mujoco.MjModel, name: str, *, root: str, frames: Sequence[Frame] = ()) -> str:
    """
    Return the URDF of a robot, as text.

    Links are the model's bodies; joints are its joints with one axis, and their positions equal ``joint_states``.
    Capsules are drawn as cylinders with round ends, ellipsoids and meshes as enclosing shapes. Bodies that are not part
    of the robot, such as obstacles, are omitted.

    Args:
        model: the compiled model.
        name: name of the robot.
        root: name of the root link, at the origin of the floating base or of the world.
        frames: additional frames.

    Raises:
        TaskError: the model has no robot, or a ball joint, which a URDF cannot have.
    """
    return _Writer(model, name, root, frames).text()


class _Writer:
    def __init__(self, model: mujoco.MjModel, name: str, root: str, frames: Sequence[Frame]) -> None:
        self._model, self._root, self._frames = model, root, frames
        self._robot = ET.Element('robot', name=name)
        self._bodies = self._bodies_of_robot()
        # Offset of a link's origin from that of its body: a URDF's link begins at its joint.
        self._shift = {body: self._anchor(body) for body in self._bodies}

    def text(self) -> str:
        names = [self._link(body) for body in self._bodies]
        if self._root not in names:
            ET.SubElement(self._robot, 'link', name=self._root)
        for body in self._bodies:
            self._add_link(body)
            if self._link(body) != self._root:
                self._add_joint(body)
        for frame in self._frames:
            if frame.name not in (*names, self._root):
                ET.SubElement(self._robot, 'link', name=frame.name)
                place = frame.position - self._shift[frame.body]
                self._fixed(self._link(frame.body), frame.name, place, np.array([1.0, 0, 0, 0]))
        ET.indent(self._robot)
        return f'<?xml version="1.0"?>\n{ET.tostring(self._robot, encoding="unicode")}\n'

    def _bodies_of_robot(self) -> list[int]:
        """Return the bodies below the floating base, or below the world's bodies that move or have joints."""
        model = self._model
        free = np.flatnonzero(model.jnt_type == _FREE)
        if len(free):
            roots = {int(model.jnt_bodyid[free[0]])}
        else:
            roots = {int(model.body_rootid[body]) for body in model.jnt_bodyid}
        found = [body for body in range(1, model.nbody) if int(model.body_rootid[body]) in roots]
        if not found:
            raise TaskError('the model has no joints, so a URDF cannot describe a robot; give a model with joints.')
        for joint in np.flatnonzero(model.jnt_type == _BALL):
            if int(model.jnt_bodyid[joint]) in found:
                raise TaskError(f"the joint '{model.joint(joint).name}' is a ball joint; a URDF needs hinges instead.")
        return found

    def _joints(self, body: int) -> list[int]:
        first = int(self._model.body_jntadr[body])
        joints = range(first, first + int(self._model.body_jntnum[body]))
        return [joint for joint in joints if int(self._model.jnt_type[joint]) in (_HINGE, _SLIDE)]

    def _anchor(self, body: int) -> Array:
        joints = self._joints(body)
        return self._model.jnt_pos[joints[-1]].copy() if joints else np.zeros(3)

    def _link(self, body: int) -> str:
        return str(self._model.body(body).name) or f'body_{body}'

    # --- links ------------------------------------------------------------------------------------------------------

    def _add_link(self, body: int) -> None:
        model, shift = self._model, self._shift[body]
        link = ET.SubElement(self._robot, 'link', name=self._link(body))
        if model.body_mass[body] > 0:
            inertial = ET.SubElement(link, 'inertial')
            self._origin(inertial, model.body_ipos[body] - shift, model.body_iquat[body])
            ET.SubElement(inertial, 'mass', value=number(model.body_mass[body]))
            xx, yy, zz = (number(value) for value in model.body_inertia[body])
            ET.SubElement(inertial, 'inertia', ixx=xx, ixy='0', ixz='0', iyy=yy, iyz='0', izz=zz)
        first = int(model.body_geomadr[body])
        for geom in range(first, first + int(model.body_geomnum[body])):
            if int(model.geom_type[geom]) not in _PLANES:
                self._add_geom(link, geom, shift)

    def _add_geom(self, link: ET.Element, geom: int, shift: Array) -> None:
        solid = bool(self._model.geom_contype[geom] or self._model.geom_conaffinity[geom])
        for position, quaternion, shape, sizes in shapes_of(self._model, geom):
            for role in ('visual', *(('collision',) if solid else ())):
                part = ET.SubElement(link, role)
                self._origin(part, position - shift, quaternion)
                ET.SubElement(ET.SubElement(part, 'geometry'), shape, sizes)
                if role == 'visual':
                    material = ET.SubElement(part, 'material', name=f'{link.get("name")}_{geom}')
                    ET.SubElement(material, 'color', rgba=numbers(self._model.geom_rgba[geom]))

    # --- joints -----------------------------------------------------------------------------------------------------

    def _add_joint(self, body: int) -> None:
        """Join a body to its parent by its joints, with massless links between them, or by a fixed joint."""
        model, parent = self._model, int(self._model.body_parentid[body])
        upper = self._root if parent not in self._bodies else self._link(parent)
        shift = self._shift.get(parent, np.zeros(3))
        joints = self._joints(body)
        if parent == _WORLD and self._is_floating(body):
            self._fixed(upper, self._link(body), np.zeros(3), np.array([1.0, 0, 0, 0]))
            return
        place, turn = model.body_pos[body] - shift, model.body_quat[body]
        if not joints:
            self._fixed(upper, self._link(body), place, turn)
            return
        before = np.zeros(3)
        for order, joint in enumerate(joints):
            last = order == len(joints) - 1
            lower = self._link(body) if last else f'{self._link(body)}_{order}'
            if not last:
                ET.SubElement(self._robot, 'link', name=lower)
            anchor = rotated(turn, model.jnt_pos[joint] - before) if order == 0 else model.jnt_pos[joint] - before
            self._moving(joint, upper, lower, place + anchor if order == 0 else anchor, turn)
            upper, before = lower, model.jnt_pos[joint]
            turn = np.array([1.0, 0, 0, 0])

    def _is_floating(self, body: int) -> bool:
        first = int(self._model.body_jntadr[body])
        return first >= 0 and int(self._model.jnt_type[first]) == _FREE

    def _fixed(self, upper: str, lower: str, place: Array, turn: Array) -> None:
        joint = ET.SubElement(self._robot, 'joint', name=f'{lower}_fixed', type='fixed')
        self._origin(joint, place, turn)
        ET.SubElement(joint, 'parent', link=upper)
        ET.SubElement(joint, 'child', link=lower)

    def _moving(self, which: int, upper: str, lower: str, place: Array, turn: Array) -> None:
        """Add a movable joint; its position is zero where MuJoCo's is, and so equals the one in ``joint_states``."""
        model = self._model
        hinge, limited = int(model.jnt_type[which]) == _HINGE, bool(model.jnt_limited[which])
        axis, at_rest = model.jnt_axis[which], float(model.qpos0[model.jnt_qposadr[which]])
        if hinge and at_rest:
            turn = product(turn, about(axis, -at_rest))
        elif at_rest:
            place = place - rotated(turn, at_rest * axis)
        kind = ('revolute' if limited else 'continuous') if hinge else 'prismatic'
        name = str(model.joint(which).name) or f'{lower}_joint_{which}'
        joint = ET.SubElement(self._robot, 'joint', name=name, type=kind)
        self._origin(joint, place, turn)
        ET.SubElement(joint, 'parent', link=upper)
        ET.SubElement(joint, 'child', link=lower)
        ET.SubElement(joint, 'axis', xyz=numbers(axis))
        low, high = model.jnt_range[which] if limited else (-1e3, 1e3)
        bounds = {} if kind == 'continuous' else {'lower': number(low), 'upper': number(high)}
        ET.SubElement(
            joint, 'limit', {**bounds, 'effort': number(self._effort(which)), 'velocity': number(_UNLIMITED_SPEED)}
        )
        ET.SubElement(joint, 'dynamics', damping=number(model.dof_damping[model.jnt_dofadr[which]]))

    def _effort(self, joint: int) -> float:
        model = self._model
        on_joint = (model.actuator_trntype == int(mujoco.mjtTrn.mjTRN_JOINT)) & (model.actuator_trnid[:, 0] == joint)
        limits = model.actuator_forcerange[on_joint & (model.actuator_forcelimited > 0), 1]
        return float(limits.max()) if len(limits) else _UNLIMITED_EFFORT

    def _origin(self, element: ET.Element, position: Array, quaternion: Array) -> None:
        ET.SubElement(element, 'origin', xyz=numbers(position), rpy=numbers(roll_pitch_yaw(quaternion)))
