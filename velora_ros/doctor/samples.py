"""Measurements of a robot as arrays: times of messages, joint states, an inertial sensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# A joint that stays within this range is at rest [rad or m].
MOVES = 0.1


@dataclass(frozen=True)
class Times:
    """
    When the messages of a topic were measured and received, in order of arrival.

    Args:
        stamps: the stamps in their headers, shape (n,) [s]; NaN where a stamp is zero or there is no header.
        received: when each was received, on the same scale, shape (n,) [s].
    """

    stamps: Array
    received: Array

    def __len__(self) -> int:
        return len(self.received)

    def only(self, which: npt.NDArray[np.bool_]) -> 'Times':
        """Return the times of some messages, shape (n,)."""
        return Times(self.stamps[which], self.received[which])


@dataclass(frozen=True)
class JointSamples:
    """
    Joint states, in order of arrival.

    Args:
        names: all joints that any message had.
        times: when they were measured and received.
        position: shape (n, joint) [rad or m]; NaN where a message did not have it.
        velocity: shape (n, joint) [rad/s or m/s].
    """

    names: Sequence[str]
    times: Times
    position: Array
    velocity: Array

    def before(self, time: float) -> 'JointSamples':
        """Return the states that were received before a time [s]."""
        which = self.times.received < time
        return JointSamples(self.names, self.times.only(which), self.position[which], self.velocity[which])

    @property
    def moves(self) -> bool:
        """Whether any joint moves by more than its noise."""
        return any(float(np.ptp(self.of(name)[1])) > MOVES for name in self.names if len(self.of(name)[1]))

    def of(self, name: str) -> tuple[Array, Array, Array]:
        """Return time [s], position and velocity of a joint, without messages that did not have its position."""
        k = list(self.names).index(name)
        has = np.isfinite(self.position[:, k])
        stamps = np.where(np.isfinite(self.times.stamps), self.times.stamps, self.times.received)
        return stamps[has], self.position[has, k], self.velocity[has, k]


@dataclass(frozen=True)
class ImuSamples:
    """
    Messages of an inertial sensor.

    Args:
        times: when they were measured and received.
        orientation: quaternions (w, x, y, z) that rotate vectors from the sensor's frame to the world's, shape (n, 4).
        has_orientation: whether the sensor reports an orientation.
        gyro: angular velocity in its frame, shape (n, 3) [rad/s].
        acceleration: specific force in its frame, +9.81 upwards at rest, shape (n, 3) [m/s^2].
    """

    times: Times
    orientation: Array
    has_orientation: bool
    gyro: Array
    acceleration: Array


@dataclass(frozen=True)
class ExpectedJoint:
    """
    A joint as the policy expects it, in the robot's own name, sign and units.

    Args:
        name: its name on the robot.
        unit: ``rad``, ``m`` or ``''``.
        sign: 1 or -1: whether the policy's positive direction is the robot's.
        mean: its mean position in training; NaN if the policy does not state it.
        deviation: the standard deviation of its position in training; NaN if the policy does not state it.
        start: its position at the start of an episode; None if the policy does not state it.
    """

    name: str
    unit: str
    sign: float
    mean: float
    deviation: float
    start: float | None = None

    @property
    def is_revolute(self) -> bool:
        """Whether it is revolute; a joint of unknown unit counts as revolute."""
        return self.unit != 'm'
