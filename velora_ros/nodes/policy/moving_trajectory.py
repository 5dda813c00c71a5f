"""Makes a JointTrajectory with velocities: the joints move through the command and stop just beyond it."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from velora_ros.control import Command
from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.message_types import interface_class

NANOSECONDS = 1e9
# After a pause of more periods than this, the joints are at rest at the last command.
_PAUSE_PERIODS = 2.0


class MovingTrajectoryEncoder:
    """
    Encodes positions as a JointTrajectory of two points: the command, and the position at which the joints stop.

    A joint that moves from its last command to the next one within the period arrives with the speed of this motion,
    ``v = (p - p_last) / T``, and stops within another period at ``p + v T / 2``, with a constant deceleration. The
    speed is reduced if the joint would stop outside its bounds.

    Args:
        message: the message to fill, with its joints.
        period: the control period T [s].
        bounds: lowest and highest command of each joint [rad or m].
        now: returns the time of the robot's clock [ns].
        interface: the commanded interface.

    Raises:
        ConfigError: the interface is not position.
    """

    def __init__(
        self, message: Any, period: float, bounds: Sequence[tuple[float, float]], now: Callable[[], int], interface: str
    ) -> None:
        if interface != 'position':
            raise ConfigError(
                f"'command.velocities' is for positions, but the JointTrajectory commands the interface '{interface}'; "
                "omit 'command.velocities'."
            )
        self._message, self._period, self._bounds, self._now = message, period, list(bounds), now
        self._moving, self._resting = trajectory_point(period), trajectory_point(2 * period)
        self._resting.velocities = array('d', [0.0] * len(self._bounds))
        self._last: Command | None = None
        self._sent_at = 0

    def encode(self, command: Command) -> Any:
        """See :class:`velora_ros.nodes.policy.encoders.Encoder`."""
        now = self._now()
        paused = not 0 <= now - self._sent_at <= _PAUSE_PERIODS * self._period * NANOSECONDS
        before = command if self._last is None or paused else self._last
        self._last, self._sent_at = command, now
        speeds = [
            min(max((value - old) / self._period, 2 * (low - value) / self._period), 2 * (high - value) / self._period)
            for value, old, (low, high) in zip(command, before, self._bounds, strict=True)
        ]
        rest = [value + speed * self._period / 2 for value, speed in zip(command, speeds, strict=True)]
        return self._filled(command, speeds, rest)

    def end(self, command: Command) -> Any:
        """Return the message of the last command, one position [rad or m] per joint; the joints stop there."""
        self._last = None
        return self._filled(command, [0.0] * len(command), command)

    def _filled(self, command: Command, speeds: Command, rest: Command) -> Any:
        self._moving.positions, self._moving.velocities = array('d', command), array('d', speeds)
        inside = (min(max(value, low), high) for value, (low, high) in zip(rest, self._bounds, strict=True))
        self._resting.positions = array('d', inside)  # rounding may exceed the bounds
        self._message.points = [self._moving, self._resting]
        return self._message


def trajectory_point(seconds: float) -> Any:
    """Return a point of a JointTrajectory without values, to be reached ``seconds`` after its start [s]."""
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')()
    whole = int(seconds)
    point.time_from_start.sec, point.time_from_start.nanosec = whole, round((seconds - whole) * NANOSECONDS)
    return point
