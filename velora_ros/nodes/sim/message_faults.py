"""Faults of whole messages of a task's robot: typical errors of drivers of inertial sensors, lasers and odometry."""

from typing import Any, NamedTuple

from velora_ros.nodes.ros.parameter import Parameter, Values

PARAMETERS = (
    Parameter(
        'faults.no_orientation', 'bool', False,
        "For a task's robot: imu/data reports no orientation (the first entry of its orientation covariance is -1).",
    ),
    Parameter(
        'faults.scan_rays', 'integer', 0, "For a task's robot: scan has only this many rays; 0 is all of them.",
        range=(0, 10_000),
    ),
    Parameter(
        'faults.odom_jump_m', 'double', 0.0,
        "For a task's robot: odom is wrong by this distance along x, from the moment it is set.", 'm', (-1000, 1000),
    ),
)  # fmt: skip


class MessageFaults(NamedTuple):
    """The parameters ``faults.no_orientation``, ``faults.scan_rays`` and ``faults.odom_jump_m``."""

    no_orientation: bool
    scan_rays: int
    odom_jump_m: float

    @classmethod
    def of(cls, values: Values) -> 'MessageFaults':
        """Return the faults from the node's parameters."""
        return cls(values['faults.no_orientation'], values['faults.scan_rays'], values['faults.odom_jump_m'])

    def spoil_imu(self, message: Any) -> Any:
        """Return an Imu with its faults."""
        if self.no_orientation:
            message.orientation_covariance[0] = -1.0
            message.orientation.w = 0.0
            message.orientation.x = message.orientation.y = message.orientation.z = 0.0
        return message

    def spoil_odometry(self, message: Any) -> Any:
        """Return an Odometry with its faults."""
        message.pose.pose.position.x += self.odom_jump_m
        return message

    def spoil_scan(self, message: Any) -> Any:
        """Return a LaserScan with its faults."""
        if self.scan_rays:
            message.ranges = message.ranges[: self.scan_rays]
            message.angle_max = message.angle_min + message.angle_increment * (len(message.ranges) - 1)
        return message
