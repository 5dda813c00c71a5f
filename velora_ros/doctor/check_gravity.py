"""Checks the mounting, units and signs of an inertial sensor, by the direction and size of gravity at rest."""

import numpy as np

from velora_ros.contract.orientations import gravity, matrices
from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import Array, ImuSamples

G = 9.81
# Largest deviation of the direction of gravity [rad], and of its magnitude [m/s^2].
TILT, SIZE = float(np.radians(15)), 1.0
# Largest angular velocity of a sensor at rest [rad/s].
AT_REST = 0.1


def check_gravity(about: str, samples: ImuSamples, *, needs_orientation: bool, upright: bool = True) -> list[Finding]:
    """
    Check the measurements of an inertial sensor on a robot at rest.

    Args:
        about: the topic.
        samples: the messages of the topic.
        needs_orientation: whether the policy reads the orientation.
        upright: whether the robot stands upright, so that its z axis points up.
    """
    for what, values in (('angular velocity', samples.gyro), ('acceleration', samples.acceleration)):
        if not np.isfinite(values).all():
            return [Finding('mend', 'values', about, f'its {what} is not always finite; correct the driver.')]
    found = _check_orientation(about, samples, needs_orientation=needs_orientation)
    turning = float(np.median(np.linalg.norm(samples.gyro, axis=1)))
    if turning > AT_REST:
        return [*found, Finding('note', 'gravity', about, f'not checked: the sensor turns at {turning:.2g} rad/s.')]
    force = np.median(samples.acceleration, axis=0)
    size = float(np.linalg.norm(force))
    if abs(size - G) > SIZE:
        return [*found, _wrong_size(about, size)]
    found.append(_check_up(about, force / size, upright=upright))
    if samples.has_orientation:
        found += _check_agreement(about, samples, force / size)
    return found


def _wrong_size(about: str, size: float) -> Finding:
    if size < 0.1:
        text = 'the acceleration at rest is 0, so gravity was removed; REP 145 demands the acceleration with gravity.'
        return Finding('note', 'gravity', about, text)
    unit = ' (in g; publish m/s^2)' if abs(size - 1) < SIZE / G else ''
    text = f'the acceleration at rest is {size:.3g}{unit} instead of {G} m/s^2; correct the unit or the scale.'
    return Finding('mend', 'gravity', about, text)


def _check_up(about: str, up: Array, *, upright: bool) -> Finding:
    shown = f'up is ({up[0]:.2f}, {up[1]:.2f}, {up[2]:.2f}) in the frame of the sensor'
    angle = float(np.arccos(np.clip(up[2], -1, 1)))
    if not upright or angle < TILT:
        return Finding('ok', 'gravity', about, shown)
    if angle > np.pi - TILT:
        text = (
            f'{shown}: the sensor is mounted upside down, or its acceleration has the wrong sign. Correct the driver; '
            'at rest, the acceleration is +9.81 m/s^2 upwards (REP 145).'
        )
        return Finding('mend', 'mounting', about, text)
    roll, pitch = np.arctan2(up[1], up[2]), np.arcsin(np.clip(-up[0], -1, 1))
    text = (
        f'{shown}, but the robot should stand upright: the sensor is rotated by about roll {roll:.2f}, '
        f'pitch {pitch:.2f} rad, or the robot is tilted. Publish the measurements in the frame of the base.'
    )
    return Finding('mend', 'mounting', about, text)


def _check_orientation(about: str, samples: ImuSamples, *, needs_orientation: bool) -> list[Finding]:
    if not samples.has_orientation:
        text = 'the sensor gives no orientation (orientation_covariance[0] is -1)'
        if not needs_orientation:
            return [Finding('note', 'orientation', about, f'{text}.')]
        text += ', but the policy reads gravity from the orientation; start a filter that computes it.'
        return [Finding('mend', 'orientation', about, text)]
    lengths = np.linalg.norm(samples.orientation, axis=1)
    if not np.abs(lengths - 1).max() <= 0.01:  # also true for NaN
        length = lengths[np.abs(lengths - 1).argmax()]
        text = f'its quaternions have the length {length:.3g} instead of 1; correct the driver.'
        return [Finding('mend', 'orientation', about, text)]
    return []


def _check_agreement(about: str, samples: ImuSamples, up: Array) -> list[Finding]:
    orientation = np.median(samples.orientation, axis=0)
    told = -gravity(matrices(orientation / np.linalg.norm(orientation)))
    angle = float(np.arccos(np.clip(told @ up, -1, 1)))
    if angle < TILT:
        return []
    text = (
        f'the directions of up in its orientation and in its acceleration differ by {np.degrees(angle):.0f} degrees: '
        'one of them is in another frame. Correct the driver, or calibrate the sensor.'
    )
    return [Finding('mend', 'orientation', about, text)]
