"""Joint states and sensors as arrays, for the tests of the doctor's checks."""

import numpy as np

from velora_ros.doctor.samples import ExpectedJoint, ImuSamples, JointSamples, Times


def times(n=100, period=0.02, *, delay=0.001, jitter=0.0, seed=0):
    """Messages of a steady driver."""
    stamps = np.arange(n) * period
    return Times(stamps, stamps + delay + jitter * np.random.default_rng(seed).random(n))


def joints(positions, names=('a', 'b'), period=0.02, velocity=None):
    """Joint states; velocities are the changes of positions, unless given."""
    positions = np.asarray(positions, dtype=float)
    if velocity is None:
        velocity = np.gradient(positions, period, axis=0)
    return JointSamples(list(names), times(len(positions), period), positions, np.asarray(velocity, dtype=float))


def still(*values, n=50):
    """Positions of a robot that stands still."""
    return np.tile(values, (n, 1))


def moving(n=100, period=0.02):
    """Positions of two joints that move, each in its own way."""
    t = np.arange(n) * period
    return np.stack([0.5 * np.sin(3 * t), 0.3 * np.sin(5 * t + 1)], axis=1)


def expected(name='a', unit='rad', *, mean=0.0, deviation=0.05, start=None, sign=1.0):
    return ExpectedJoint(name, unit, sign, mean, deviation, start)


def imu(*, acceleration=(0.0, 0.0, 9.81), orientation=(1.0, 0.0, 0.0, 0.0), gyro=(0.0, 0.0, 0.0), has=True, n=20):
    """Messages of a sensor that measures the same all the time."""
    return ImuSamples(times(n), np.tile(orientation, (n, 1)), has, np.tile(gyro, (n, 1)), np.tile(acceleration, (n, 1)))


def levels(findings):
    """(level, check) of each finding."""
    return [(one.level, one.check) for one in findings]
