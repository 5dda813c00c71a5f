"""The URDF shapes for a geom of MuJoCo, and numbers and rotations in URDF notation."""

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Shape = tuple[Array, Array, str, dict[str, str]]
"""Position, orientation w, x, y, z, name of the shape and its sizes."""

_KINDS = mujoco.mjtGeom


def shapes_of(model: mujoco.MjModel, geom: int) -> list[Shape]:
    """Return position, orientation, shape and sizes of the primitives that represent a geom."""
    kind = int(model.geom_type[geom])
    place, turn, size = model.geom_pos[geom], model.geom_quat[geom], model.geom_size[geom]
    if kind == int(_KINDS.mjGEOM_SPHERE):
        return [(place, turn, 'sphere', {'radius': number(size[0])})]
    if kind == int(_KINDS.mjGEOM_BOX):
        return [(place, turn, 'box', {'size': numbers(2 * size)})]
    if kind in (int(_KINDS.mjGEOM_CYLINDER), int(_KINDS.mjGEOM_CAPSULE)):
        sizes = {'radius': number(size[0]), 'length': number(2 * size[1])}
        along = np.array([0, 0, size[1]])
        ends = [place + rotated(turn, sign * along) for sign in (1, -1)] if kind == int(_KINDS.mjGEOM_CAPSULE) else []
        balls = [(end, turn, 'sphere', {'radius': number(size[0])}) for end in ends]
        return [(place, turn, 'cylinder', sizes), *balls]
    if kind == int(_KINDS.mjGEOM_ELLIPSOID):
        return [_disc(place, turn, size)]
    centre, half = model.geom_aabb[geom][:3], model.geom_aabb[geom][3:]
    return [(place + rotated(turn, centre), turn, 'box', {'size': numbers(2 * half)})]


def _disc(place: Array, turn: Array, size: Array) -> Shape:
    """Return a cylinder for an ellipsoid with two equal axes, such as a wheel, otherwise a box around it."""
    for axis in range(3):
        across = [size[other] for other in range(3) if other != axis]
        if np.isclose(across[0], across[1], rtol=1e-3):
            turned = product(turn, _to_axis(axis))
            return place, turned, 'cylinder', {'radius': number(across[0]), 'length': number(2 * size[axis])}
    return place, turn, 'box', {'size': numbers(2 * size)}


def _to_axis(axis: int) -> Array:
    """Return the rotation that turns the z axis into the direction of another axis."""
    half = np.sqrt(0.5)
    return np.array([[half, 0, half, 0], [half, half, 0, 0], [1.0, 0, 0, 0]][axis])


def roll_pitch_yaw(quaternion: Array) -> Array:
    """Return the fixed-axis angles of a quaternion w, x, y, z, as used in a URDF, shape (3,) [rad]."""
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, np.asarray(quaternion, np.float64))
    m = matrix.reshape(3, 3)
    pitch = np.arcsin(np.clip(-m[2, 0], -1, 1))
    if abs(m[2, 0]) > 1 - 1e-9:  # roll and yaw are about the same axis
        return np.array([0.0, pitch, np.arctan2(-m[0, 1], m[1, 1])])
    return np.array([np.arctan2(m[2, 1], m[2, 2]), pitch, np.arctan2(m[1, 0], m[0, 0])])


def about(axis: Array, angle: float) -> Array:
    """Return the quaternion of a turn about an axis by an angle [rad]."""
    found = np.zeros(4)
    mujoco.mju_axisAngle2Quat(found, np.asarray(axis, np.float64), angle)
    return found


def product(first: Array, second: Array) -> Array:
    """Return the product of two quaternions."""
    found = np.zeros(4)
    mujoco.mju_mulQuat(found, np.asarray(first, np.float64), np.asarray(second, np.float64))
    return found


def rotated(quaternion: Array, vector: Array) -> Array:
    """Return a vector turned by a quaternion."""
    found = np.zeros(3)
    mujoco.mju_rotVecQuat(found, np.asarray(vector, np.float64), np.asarray(quaternion, np.float64))
    return found


def number(value: float) -> str:
    """Return a number in URDF notation."""
    return f'{float(value):.9g}'


def numbers(values: Array) -> str:
    """Return numbers in URDF notation, separated by spaces."""
    return ' '.join(number(0.0 if abs(value) < 1e-12 else value) for value in values)
