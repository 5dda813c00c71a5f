"""The laser scanner of a model: rangefinders in one plane, at equal angles, reported as one LaserScan."""

from typing import NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_RANGEFINDER = int(mujoco.mjtSensor.mjSENS_RANGEFINDER)
_EQUAL = 1e-3  # rad and m: the positions of sites in a file are rounded


class Laser(NamedTuple):
    """The rays of a laser scanner; their angles increase by the same step from ray to ray."""

    body: int
    """The body on which it is mounted."""
    position: Array
    """Position in the frame of the body, shape (3,) [m]."""
    angle_min: float
    """Angle of the first ray about the body's z axis, 0 along its x axis [rad]."""
    angle_increment: float
    """Angle from one ray to the next [rad]."""
    range_max: float
    """Largest range [m]; infinite if the model does not say."""
    places: npt.NDArray[np.intp]
    """Indices of the ranges in the model's sensor data, shape (rays,)."""


def find_laser(model: mujoco.MjModel) -> Laser | None:
    """Return the scanner of a model; None if its rangefinders do not share one position and plane at equal angles."""
    sensors = np.flatnonzero(model.sensor_type == _RANGEFINDER)
    if len(sensors) < 2:
        return None
    sites = model.sensor_objid[sensors]
    body = int(model.site_bodyid[sites[0]])
    if (model.site_bodyid[sites] != body).any() or np.ptp(model.site_pos[sites], axis=0).max() > _EQUAL:
        return None
    axes = np.array([_z_axis(model.site_quat[site]) for site in sites])
    angles = np.unwrap(np.arctan2(axes[:, 1], axes[:, 0]))
    steps = np.diff(angles)
    if np.abs(axes[:, 2]).max() > _EQUAL or np.ptp(steps) > _EQUAL:
        return None
    cutoff = model.sensor_cutoff[sensors]
    largest = float(cutoff.max()) if (cutoff > 0).all() else np.inf
    places = model.sensor_adr[sensors].astype(np.intp)
    return Laser(body, model.site_pos[sites[0]].copy(), float(angles[0]), float(steps.mean()), largest, places)


def _z_axis(quaternion: Array) -> Array:
    """Return the direction of a ray: MuJoCo's rangefinders look along the z axis of their site."""
    found = np.zeros(3)
    mujoco.mju_rotVecQuat(found, np.array([0.0, 0.0, 1.0]), quaternion)
    return found
