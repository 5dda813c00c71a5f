"""Faults of whole messages of a task's robot: typical errors of the drivers of an IMU, a laser and odometry."""

from typing import Any, NamedTuple

from velora_ros.nodes.ros.parameter import Parameter, Values

PARAMETERS = (
    Parameter(
        'faults.no_orientation', 'bool', False,
        "For a task's robot: imu/data reports no orientation (the first entry of its orientation covariance is -1).",
    ),
    Parameter(
        'faults.scan_rays', 'integer', 0, "For a task's robot: number of rays that scan has; 0 means all rays.",
        range=(0, 10_000),
    ),
    Parameter(
        'faults.odom_jump_m', 'double', 0.0,
        "For a task's robot: error of the position in odom along x, which begins when this is set.", 'm',
        (-1000, 1000),
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
        """Apply ``faults.no_orientation`` to an Imu, in place, and return it."""
        if self.no_orientation:
            message.orientation_covariance[0] = -1.0
            message.orientation.w = 0.0
            message.orientation.x = message.orientation.y = message.orientation.z = 0.0
        return message

    def spoil_odometry(self, message: Any) -> Any:
        """Apply ``faults.odom_jump_m`` to an Odometry, in place, and return it."""
        message.pose.pose.position.x += self.odom_jump_m
        return message

    def spoil_scan(self, message: Any) -> Any:
        """Apply ``faults.scan_rays`` to a LaserScan, in place, and return it."""
        if self.scan_rays:
            message.ranges = message.ranges[: self.scan_rays]
            message.angle_max = message.angle_min + message.angle_increment * (len(message.ranges) - 1)
        return message
