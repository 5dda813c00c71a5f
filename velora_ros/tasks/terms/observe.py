"""
What a policy reads. Each function returns an observation with a name, a unit, a shape and its ROS source.

Make your own function an observation with :func:`term`, or use it as it is::

    @observe.term('trunk_height', 'm', 'Float64MultiArray')
    def trunk_height(sim):
        return sim.body('trunk').xpos[:, 2]
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from velora_ros.contract.joint_signals import UNITS, signal_name
from velora_ros.contract.orientations import gravity as direction_of_gravity
from velora_ros.contract.orientations import to_frame
from velora_ros.contract.relative_positions import seen_from
from velora_ros.tasks import observation_sources
from velora_ros.tasks.mujoco_simulations import Array, Sim
from velora_ros.tasks.observation_sources import IMU, ODOMETRY, XYZ
from velora_ros.tasks.robot_model import RobotModel
from velora_ros.tasks.terms.term import Compute, Observation

Numbers = float | Sequence[float]

_IMU, _ODOMETRY, _JOINTS = 'Imu', 'Odometry', 'JointState'


def term(
    name: str = '', unit: str = '', source: str = '', *, names: Sequence[str] = (), **options: Any
) -> Callable[[Compute], Observation]:
    """
    Return a decorator that makes an observation of a function ``(sim) -> (n,) or (n, k)``.

    Args:
        name: name of the observation; empty: the function's name.
        unit: unit of the observation.
        source: message type and field from which it is read on the robot.
        names: name of each entry.
        **options: ``noise``, ``bias``, ``scale`` and ``sensed`` of :class:`velora_ros.tasks.terms.term.Observation`.
    """

    def decorate(compute: Compute) -> Observation:
        return Observation(
            name or getattr(compute, '__name__', 'term'), compute, unit, entries=names, source=source, **options
        )

    return decorate


def gyro(sensor: str = '', *, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 0.25) -> Observation:
    """Angular velocity in the sensor's frame, (n, 3) [rad/s], from Imu; without a sensor: of the floating base."""

    def read(sim: Sim) -> Array:
        return sim.sensor(sensor) if sensor else sim.base.angular_velocity

    source = f'{_IMU} angular_velocity'
    find = observation_sources.at(IMU, *(f'angular_velocity.{axis}' for axis in XYZ))
    return _vector('gyro', read, 'rad/s', source, find=find, noise=noise, bias=bias, scale=scale)


def gravity(site: str = '', *, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 1.0) -> Observation:
    """Direction of gravity, R^T (0, 0, -1), in the frame of a site or of the floating base, (n, 3), from Imu."""

    def read(sim: Sim) -> Array:
        return direction_of_gravity(sim.site(site).xmat.reshape(sim.n, 3, 3)) if site else sim.base.gravity

    find = observation_sources.at(IMU, *(f'orientation.gravity.{axis}' for axis in XYZ))
    return _vector('gravity', read, '', f'{_IMU} orientation', find=find, noise=noise, bias=bias, scale=scale)


def joint_positions(
    joints: str = '*', *, relative: bool = True, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 1.0
) -> Observation:
    """Positions of joints, relative to the start pose if ``relative``, (n, joints) [rad or m], from JointState."""

    def read(sim: Sim) -> Array:
        chosen = sim.joints(joints)
        return chosen.position - sim.start_qpos[chosen.places] if relative else chosen.position

    find = observation_sources.joints(joints, 'position', relative=relative)
    return _of_joints('joint_positions', 'position', joints, read, find, noise=noise, bias=bias, scale=scale)


def joint_angles(*joints: str, noise: float = 0.0, scale: float = 1.0) -> Observation:
    """
    Sine and cosine of each joint's position, (n, 2 * joints), from JointState; whole turns make no difference.

    Args:
        *joints: patterns of the joints; none: all joints.
        noise: standard deviation of the positions [rad].
        scale: fixed factor.
    """

    def names(sim: Sim) -> list[str]:
        return [name for pattern in joints or ('*',) for name in sim.joints(pattern).names]

    def read(sim: Sim) -> Array:
        angles = np.concatenate([sim.joints(pattern).position for pattern in joints or ('*',)], axis=1)
        return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(sim.n, -1)

    def entries(sim: Sim) -> list[str]:
        return [f'{of}({signal_name(joint, "position")})' for joint in names(sim) for of in ('sin', 'cos')]

    source = f'{_JOINTS} position'
    find = observation_sources.angles(*joints) if scale == 1 else observation_sources.nowhere
    return Observation('joint_angles', read, entries=entries, source=source, noise=noise, scale=scale, find=find)


def joint_velocities(
    joints: str = '*', *, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 0.05
) -> Observation:
    """Velocities of joints, (n, joints) [rad/s or m/s], from JointState."""

    def read(sim: Sim) -> Array:
        return sim.joints(joints).velocity

    find = observation_sources.joints(joints, 'velocity')
    return _of_joints('joint_velocities', 'velocity', joints, read, find, noise=noise, bias=bias, scale=scale)


def joint_efforts(
    joints: str = '*', *, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 0.05
) -> Observation:
    """Efforts of the joints' actuators, (n, joints) [N*m or N], from JointState."""

    def read(sim: Sim) -> Array:
        return sim.joints(joints).effort

    find = observation_sources.joints(joints, 'effort')
    return _of_joints('joint_efforts', 'effort', joints, read, find, noise=noise, bias=bias, scale=scale)


def last_action() -> Observation:
    """The policy's previous action in [-1, 1], before any delay, (n, action); 0 at the start."""

    def read(sim: Sim) -> Array:
        return sim.action

    def entries(sim: Sim) -> list[str]:
        return [f'last_action.{i}' for i in range(sim.action.shape[1])]

    find = observation_sources.last_action
    return Observation('last_action', read, entries=entries, source='the policy', sensed=False, find=find)


def command(name: str = 'twist', *, scale: Numbers = 1.0) -> Observation:
    """A command of the task, (n, entries), in the command's units, for example from ``cmd_vel``."""

    def read(sim: Sim) -> Array:
        return sim.command(name)

    def entries(sim: Sim) -> list[str]:
        return [f'{name}.{entry}' for entry, _ in sim.command_entries[name]]

    def units(sim: Sim) -> list[str]:
        return [unit for _, unit in sim.command_entries[name]]

    return Observation(
        f'command({name})', read, entries=entries, units=units, scale=scale, sensed=False, source=f'command {name}',
        find=observation_sources.command(name),
    )  # fmt: skip


def base_velocity(*, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 1.0) -> Observation:
    """Velocity of the floating base in its own frame, (n, 3) [m/s], from Odometry."""

    def read(sim: Sim) -> Array:
        return sim.base.velocity

    source = f'{_ODOMETRY} twist.twist.linear'
    find = observation_sources.at(ODOMETRY, *(f'twist.twist.linear.{axis}' for axis in XYZ))
    return _vector('base_velocity', read, 'm/s', source, find=find, noise=noise, bias=bias, scale=scale)


def base_height(*, noise: Numbers = 0.0, bias: Numbers = 0.0, scale: Numbers = 1.0) -> Observation:
    """Height of the floating base above z = 0, (n,) [m], from Odometry."""

    def read(sim: Sim) -> Array:
        found: Array = sim.free_joint.qpos[:, 2]
        return found

    path = 'pose.pose.position.z'
    return Observation(
        'base_height', read, 'm', source=f'{_ODOMETRY} {path}', noise=noise, bias=bias, scale=scale,
        find=observation_sources.at(ODOMETRY, path),
    )  # fmt: skip


def contacts(geoms: str) -> Observation:
    """Whether each of the geoms touches anything, (n, geoms): 1 or 0."""

    def read(sim: Sim) -> Array:
        return sim.contacts(geoms).astype(np.float64)

    def entries(sim: Sim) -> list[str]:
        return [f'{name}/contact' for name in sim.geoms(geoms)]

    def prepare(model: RobotModel) -> None:
        for name in model.geom_names(geoms, 'contacts'):
            model.contact(name)

    return Observation('contacts', read, prepare=prepare, entries=entries, source='Float64MultiArray')


def body_pose(body: str, *, relative_to: str = '', noise: Numbers = 0.0, scale: Numbers = 1.0) -> Observation:
    """
    Position and orientation of a body or site, (n, 7): x, y, z [m], w, x, y, z with w >= 0; from PoseStamped.

    Args:
        body: name of a body or a site.
        relative_to: a body in whose frame the pose is given; empty: the world.
        noise: standard deviation, one for all entries or one for each, in the entry's unit.
        scale: fixed factor.
    """

    def read(sim: Sim) -> Array:
        position, axes = sim.pose(body)
        if relative_to:
            origin, frame = sim.pose(relative_to)
            position = to_frame(frame, position - origin)
            axes = np.einsum('nji,njk->nik', frame, axes)
        return np.concatenate([position, quaternions(axes)], axis=1)

    entries = [f'{body}/{part}' for part in (*XYZ, 'qw', 'qx', 'qy', 'qz')]
    units = ['m', 'm', 'm', '', '', '', '']
    source = 'PoseStamped pose'
    return Observation('body_pose', read, entries=entries, units=units, source=source, noise=noise, scale=scale)


def body_position(body: str, *, relative_to: str = '', noise: Numbers = 0.0, scale: Numbers = 1.0) -> Observation:
    """Position of a body or site in the world, or in the frame of another, (n, 3) [m], from PoseStamped."""

    def read(sim: Sim) -> Array:
        position, _ = sim.pose(body)
        if not relative_to:
            return position
        origin, frame = sim.pose(relative_to)
        return to_frame(frame, position - origin)

    find = observation_sources.position_of(body, relative_to)
    return _vector(f'{body}', read, 'm', 'PoseStamped pose.position', find=find, noise=noise, scale=scale)


def goal(
    name: str = 'goal',
    *,
    relative_to: str = '',
    frame: str = '',
    planar: bool = False,
    within: float = 0.0,
    scale: Numbers = 1.0,
) -> Observation:
    """
    Position of the goal relative to a body or site, (n, 3), or (n, 2) if planar [m].

    Args:
        name: name of the command, a position in the world.
        relative_to: the body or site from which the goal is seen, such as the tool; empty: the world's origin.
        frame: the body in whose frame the difference is given; empty: the world.
        planar: whether only x and y are read.
        within: distance to which the position is clipped along each axis [m], so that a near goal can have its own
            scale; the term and its entries are then named ``near``. 0: not clipped.
        scale: fixed factor.
    """

    def read(sim: Sim) -> Array:
        origin = sim.pose(relative_to)[0] if relative_to else np.zeros(3)
        difference = seen_from(sim.command(name)[:, :3], origin, sim.pose(frame)[1] if frame else None)
        found: Array = difference[:, :2] if planar else difference
        return np.clip(found, -within, within) if within else found

    source = 'PointStamped point' if not relative_to else 'PoseStamped pose.position minus the pose of the robot'
    axes = XYZ[:2] if planar else XYZ
    term, of = (f'near({name})', 'near') if within else (f'goal({name})', name)
    entries, find = [f'{of}.{axis}' for axis in axes], observation_sources.goal(name, relative_to, frame, axes, within)
    return Observation(term, read, 'm', entries=entries, source=source, scale=scale, find=find)


def lidar(
    sensors: str = 'lidar', *, sectors: int, range_max: float, noise: Numbers = 0.0, scale: Numbers = 0.0
) -> Observation:
    """
    Shortest range in each sector, (n, sectors) [m], clipped to range_max, from LaserScan.

    Args:
        sensors: pattern of the model's rangefinders, in the order of their angles; a ray that hits nothing counts as
            range_max.
        sectors: number of sectors; it must divide the number of rangefinders.
        range_max: largest range [m].
        noise: standard deviation [m].
        scale: fixed factor; 0: 1 / range_max.
    """

    def read(sim: Sim) -> Array:
        ranges = sim.sensors(sensors)
        ranges = np.where((ranges < 0) | (ranges > range_max), range_max, ranges)
        least: Array = ranges.reshape(sim.n, sectors, -1).min(axis=2)
        return least

    entries = [f'lidar.{i}' for i in range(sectors)]
    scale, find = scale or 1 / range_max, observation_sources.sectors(sensors, sectors, range_max)
    return Observation(
        'lidar', read, 'm', entries=entries, source='LaserScan ranges', noise=noise, scale=scale, find=find
    )


def quaternions(axes: Array) -> Array:
    """Return the quaternions (w, x, y, z), w >= 0, of rotation matrices of shape (n, 3, 3)."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float64)
    found: Array = np.sqrt(np.maximum(1 + np.einsum('nii->ni', axes) @ signs.T, 0)) / 2
    for entry, (row, column) in enumerate(((2, 1), (0, 2), (1, 0)), start=1):
        found[:, entry] = np.copysign(found[:, entry], axes[:, row, column] - axes[:, column, row])
    return found


def _vector(name: str, read: Compute, unit: str, source: str, **options: Any) -> Observation:
    return Observation(name, read, unit, entries=[f'{name}.{axis}' for axis in XYZ], source=source, **options)


def _of_joints(
    name: str, interface: str, joints: str, read: Compute, find: observation_sources.Find, **options: Any
) -> Observation:
    def entries(sim: Sim) -> list[str]:
        return [signal_name(joint, interface) for joint in sim.joints(joints).names]

    def units(sim: Sim) -> list[str]:
        return [UNITS[interface][int(hinge)] for hinge in sim.joints(joints).hinges]

    source = f'{_JOINTS} {interface}'
    return Observation(name, read, entries=entries, units=units, source=source, find=find, **options)
