"""Measurements of a robot as arrays: the times of messages, joint states, and an inertial sensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# A joint whose position varies by no more than this is at rest [rad or m].
MOVES = 0.1


@dataclass(frozen=True)
class Times:
    """
    When the messages of a topic were measured and received, in order of arrival.

    Args:
        stamps: the stamps of the messages, shape (n,) [s]; NaN where a stamp is zero or there is no header.
        received: when each message was received, shape (n,) [s], from the same zero as the stamps.
    """

    stamps: Array
    received: Array

    def __len__(self) -> int:
        return len(self.received)

    def only(self, which: npt.NDArray[np.bool_]) -> 'Times':
        """Return the times of the messages that ``which``, shape (n,), selects."""
        return Times(self.stamps[which], self.received[which])


@dataclass(frozen=True)
class JointSamples:
    """
    Joint states, in order of arrival.

    Args:
        names: the joints in any of the messages.
        times: when the messages were measured and received.
        position: the positions, shape (n, joint) [rad or m]; NaN where a message did not have the joint.
        velocity: the velocities, shape (n, joint) [rad/s or m/s]; NaN likewise.
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
        """Whether any joint moves by more than :data:`MOVES`."""
        return any(float(np.ptp(self.of(name)[1])) > MOVES for name in self.names if len(self.of(name)[1]))

    def of(self, name: str) -> tuple[Array, Array, Array]:
        """
        Return the times, positions and velocities of a joint in the messages that have its position.

        Each has the shape (m,), in s, rad or m, and rad/s or m/s.
        """
        k = list(self.names).index(name)
        has = np.isfinite(self.position[:, k])
        stamps = np.where(np.isfinite(self.times.stamps), self.times.stamps, self.times.received)
        return stamps[has], self.position[has, k], self.velocity[has, k]


@dataclass(frozen=True)
class ImuSamples:
    """
    Messages of an inertial sensor.

    Args:
        times: when the messages were measured and received.
        orientation: quaternions (w, x, y, z) that rotate vectors from the sensor's frame to the world, shape (n, 4).
        has_orientation: whether the sensor reports an orientation.
        gyro: angular velocity in the sensor's frame, shape (n, 3) [rad/s].
        acceleration: acceleration with gravity (specific force) in the sensor's frame, +9.81 upwards at rest, shape
            (n, 3) [m/s^2].
    """

    times: Times
    orientation: Array
    has_orientation: bool
    gyro: Array
    acceleration: Array


@dataclass(frozen=True)
class ExpectedJoint:
    """
    A joint as the policy expects it, with the robot's own name, sign and unit.

    Args:
        name: the name of the joint on the robot.
        unit: ``rad``, ``m``, or ``''`` if it is unknown.
        sign: 1 if the positive directions of policy and robot are equal, -1 if they are opposite.
        mean: the mean position in training [rad or m]; NaN if the policy file does not have it.
        deviation: the standard deviation of the position in training; NaN if the policy file does not have it.
        start: the position in the start pose; None if the policy file does not have it.
    """

    name: str
    unit: str
    sign: float
    mean: float
    deviation: float
    start: float | None = None

    @property
    def is_revolute(self) -> bool:
        """Whether the joint is revolute; a joint of unknown unit counts as revolute."""
        return self.unit != 'm'
