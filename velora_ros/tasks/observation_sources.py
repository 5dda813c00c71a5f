"""
Where a robot provides what a task observes: the sources and fields of the contract in the policy file.

A finder is a function ``(sim) -> Reading``: it finds the sources and fields of an observation in a model; None if there
are none.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import mujoco
import numpy as np

from velora_ros.contract.joint_signals import signal_name
from velora_ros.errors import TaskError
from velora_ros.spec import Source
from velora_ros.spec.robot_contract import LAST_ACTION
from velora_ros.tasks.mujoco_simulations import Array, Sim
from velora_ros.tasks.name_patterns import select

XYZ = ('x', 'y', 'z')
_HINGE = int(mujoco.mjtJoint.mjJNT_HINGE)
JOINTS = Source('joints', 'joint_states', 'JointState')
IMU = Source('imu', 'imu/data', 'Imu')
ODOMETRY = Source('odom', 'odom', 'Odometry')
SCAN = Source('scan', 'scan', 'LaserScan')
LAST = Source('last_action', '', LAST_ACTION)


class Reading(NamedTuple):
    """
    Where a robot provides the entries of an observation.

    Args:
        sources: the sources that are read.
        fields: ``<source>:<field>`` of each entry.
        defaults: value to subtract from each entry; empty: 0 for all.
        transforms: transform of each entry, applied after scaling; empty: ``none`` for all.
    """

    sources: tuple[Source, ...]
    fields: tuple[str, ...]
    defaults: tuple[float, ...] = ()
    transforms: tuple[str, ...] = ()


Find = Callable[[Sim], Reading | None]
"""A finder: a function that returns where a robot provides an observation; None if no message has it."""


def nowhere(sim: Sim) -> None:
    """Return None: the finder for observations that no standard message has; they get a Float64MultiArray."""


def at(source: Source, *fields: str) -> Find:
    """Return a finder for the given fields of a source."""
    return lambda sim: Reading((source,), tuple(f'{source.name}:{one}' for one in fields))


def joints(pattern: str, interface: str, *, relative: bool = False) -> Find:
    """Return a finder for one interface of joints, such as ``position``, optionally relative to the start pose."""

    def find(sim: Sim) -> Reading:
        chosen = sim.joints(pattern)
        fields = tuple(f'{JOINTS.name}:{signal_name(name, interface)}' for name in chosen.names)
        return Reading((JOINTS,), fields, tuple(sim.start_qpos[chosen.places].tolist()) if relative else ())

    return find


def angles(*patterns: str) -> Find:
    """Return a finder for the sine and cosine of joint positions, alternating."""

    def find(sim: Sim) -> Reading:
        names = [name for pattern in patterns or ('*',) for name in sim.joints(pattern).names]
        fields = tuple(f'{JOINTS.name}:{signal_name(name, "position")}' for name in names for _ in range(2))
        return Reading((JOINTS,), fields, (), ('sin', 'cos') * len(names))

    return find


def last_action(sim: Sim) -> Reading:
    """Return the source of the previous action, which policy_node keeps."""
    return Reading((LAST,), tuple(f'{LAST.name}:{i}' for i in range(sim.action.shape[1])))


def command(name: str) -> Find:
    """Return a finder for a command of the task."""

    def find(sim: Sim) -> Reading | None:
        source = sim.command_sources.get(name)
        if source is None:
            return None
        return Reading((source,), tuple(f'{source.name}:{entry}' for entry, _ in sim.command_entries[name]))

    return find


def goal(name: str, relative_to: str, frame: str, axes: Sequence[str], within: float = 0.0) -> Find:
    """
    Return a finder for a goal relative to a body or site, along the axes of the world or of a body.

    ``within`` is the distance to which the goal is clipped along each axis [m]; 0: not clipped.
    """

    def find(sim: Sim) -> Reading | None:
        source = sim.command_sources.get(name)
        if source is None:
            return None
        sources, how = [source], ['position']
        if relative_to:
            origin = pose_of(sim, relative_to)
            sources.append(origin)
            how.append(f'in_frame_of({origin.name})' if frame == relative_to else f'relative_to({origin.name})')
        if frame not in ('', relative_to):
            turn = turn_of(sim, frame)
            if turn is None or not relative_to:
                return None
            sources.append(JOINTS)
            how.append(f'turned_by({turn[0]})')
        if within:
            how.append(f'within({within:g})')
        return Reading(tuple(sources), tuple(f'{source.name}:{".".join([*how, axis])}' for axis in axes))

    return find


def pose_of(sim: Sim, body: str) -> Source:
    """Return the source of a body's pose: Odometry for the floating base, else a PoseStamped."""
    try:
        base = sim.model.body(sim.base_body.id).name
    except TaskError:  # the robot is fixed
        base = ''
    return ODOMETRY if body == base else Source(identifier(body), f'{identifier(body)}_pose', 'PoseStamped')


def position_of(body: str, relative_to: str) -> Find:
    """Return a finder for a position, in the world or in a frame that turns with the first joint about z only."""

    def find(sim: Sim) -> Reading | None:
        source, how, height = pose_of(sim, body), 'position', 0.0
        sources = [source]
        if relative_to:
            turn = turn_of(sim, relative_to)
            if turn is None:
                return None
            joint, height = turn
            if joint:
                sources.append(JOINTS)
                how = f'{how}.turned_by({joint})'
        return Reading(tuple(sources), tuple(f'{source.name}:{how}.{axis}' for axis in XYZ), (0.0, 0.0, height))

    return find


def sectors(sensors: str, count: int, range_max: float) -> Find:
    """Return a finder for the shortest range in each sector of a scan; the sensors are rangefinders at sites."""

    def find(sim: Sim) -> Reading | None:
        angles = _angles(sim, sensors)
        if angles is None:
            return None
        rays = len(angles) // count
        half = np.diff(angles).mean() / 2 if len(angles) > 1 else np.pi
        edges = ((angles[i * rays] - half, angles[(i + 1) * rays - 1] + half) for i in range(count))
        rounded = ((round(low, 5) + 0.0, round(high, 5) + 0.0) for low, high in map(sorted, edges))
        return Reading((SCAN,), tuple(f'{SCAN.name}:nearest({low}, {high}, {range_max:g})' for low, high in rounded))

    return find


def identifier(name: str) -> str:
    """Return a name without the characters that are invalid in names of sources and topics."""
    return re.sub(r'\W', '_', name)


def turn_of(sim: Sim, name: str) -> tuple[str, float] | None:
    """
    Return the joint with which a frame turns about the world's z axis, and the frame's height [m].

    The joint is '' for a frame that does not move. Return None for a frame that moves in another way.
    """
    if name not in sim.names('body'):
        return None
    model, body, joint = sim.model, sim.model.body(name).id, ''
    if int(model.body_jntnum[body]) == 1 and int(model.jnt_type[model.body_jntadr[body]]) == _HINGE:
        which = int(model.body_jntadr[body])
        if not (np.allclose(model.jnt_axis[which], (0, 0, 1)) and np.allclose(model.jnt_pos[which], 0)):
            return None
        joint = model.joint(which).name
    fixed = model.body_weldid[model.body_parentid[body] if joint else body] == 0
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)  # in the reference pose, where the joint is at its zero
    upright = np.allclose(data.xmat[body], np.eye(3).ravel()) and np.allclose(data.xpos[body][:2], 0)
    return (joint, float(data.xpos[body][2])) if fixed and upright else None


def _angles(sim: Sim, sensors: str) -> Array | None:
    """Return the angles of rangefinders about z in the frame of their body [rad]; None if they do not form a scan."""
    model, found = sim.model, []
    for name in select(sensors, sim.names('sensor'), 'sensor'):
        sensor = model.sensor(name)
        if int(model.sensor_objtype[sensor.id]) != int(mujoco.mjtObj.mjOBJ_SITE):
            return None
        axis = np.zeros(3)
        mujoco.mju_rotVecQuat(axis, np.array([0.0, 0.0, 1.0]), model.site_quat[model.sensor_objid[sensor.id]])
        found.append(np.arctan2(axis[1], axis[0]))
    angles: Array = np.unwrap(np.array(found))
    return angles
