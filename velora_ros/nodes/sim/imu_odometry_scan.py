"""Makes the messages Odometry, Imu, PoseStamped and LaserScan from measurements of the simulated robot."""

from typing import Any

import numpy as np

from velora_ros.gym.floating_base import FloatingBase
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.sim.robot_protocol import Array
from velora_ros.tasks.laser import Laser

RANGE_MIN_M = 0.05
"""Minimum range of the simulated laser [m]."""


def to_odometry(base: FloatingBase, frame_id: str, child_frame_id: str, stamp: int) -> Any:
    """Return the odometry of a floating base, its twist in ``child_frame_id``, stamped ``stamp`` [ns]."""
    message = interface_class('nav_msgs/msg/Odometry')(child_frame_id=child_frame_id)
    message.header.stamp, message.header.frame_id = conversions.to_stamp(stamp), frame_id
    pose, twist = message.pose.pose, message.twist.twist
    pose.position.x, pose.position.y, pose.position.z = map(float, base.position)
    fill_quaternion(pose.orientation, base.orientation)
    twist.linear.x, twist.linear.y, twist.linear.z = map(float, base.velocity)
    twist.angular.x, twist.angular.y, twist.angular.z = map(float, base.angular_velocity)
    return message


def to_imu(base: FloatingBase, frame_id: str, stamp: int) -> Any:
    """Return the measurement of an inertial sensor at the origin of a floating base, stamped ``stamp`` [ns]."""
    message = interface_class('sensor_msgs/msg/Imu')()
    message.header.stamp, message.header.frame_id = conversions.to_stamp(stamp), frame_id
    fill_quaternion(message.orientation, base.orientation)
    rate, acceleration = message.angular_velocity, message.linear_acceleration
    rate.x, rate.y, rate.z = map(float, base.angular_velocity)
    acceleration.x, acceleration.y, acceleration.z = map(float, base.acceleration)
    return message


def to_scan(laser: Laser, ranges: Array, period: float, frame_id: str, stamp: int) -> Any:
    """
    Return a laser scan by REP 117: a ray that hits nothing reads inf, a ray below the minimum range reads -inf.

    Args:
        laser: the rays.
        ranges: the measured ranges, shape (rays,) [m].
        period: time between two scans [s].
        frame_id: the scanner's frame.
        stamp: time of the scan [ns].
    """
    message = interface_class('sensor_msgs/msg/LaserScan')()
    message.header.stamp, message.header.frame_id = conversions.to_stamp(stamp), frame_id
    message.angle_min, message.angle_increment = laser.angle_min, laser.angle_increment
    message.angle_max = laser.angle_min + laser.angle_increment * (len(ranges) - 1)
    message.scan_time = float(period)
    message.range_min, message.range_max = RANGE_MIN_M, min(laser.range_max, float(np.finfo(np.float32).max))
    far = np.where(ranges >= laser.range_max, np.inf, ranges)
    message.ranges = np.where(far < RANGE_MIN_M, -np.inf, far).astype(np.float32)
    return message


def to_pose(position: Array, orientation: Array, frame_id: str, stamp: int) -> Any:
    """Return a PoseStamped from a position x, y, z [m] and an orientation w, x, y, z, stamped ``stamp`` [ns]."""
    message = interface_class('geometry_msgs/msg/PoseStamped')()
    message.header.stamp, message.header.frame_id = conversions.to_stamp(stamp), frame_id
    place = message.pose.position
    place.x, place.y, place.z = map(float, position)
    fill_quaternion(message.pose.orientation, orientation)
    return message


def unit(quaternion: Array) -> Array:
    """Return a quaternion, shape (4,), scaled to length 1, which noise may have changed."""
    length = np.linalg.norm(quaternion)
    return quaternion / length if length > 0 else quaternion


def fill_quaternion(message: Any, orientation: Array) -> None:
    """Write an orientation w, x, y, z into a Quaternion message."""
    message.w, message.x, message.y, message.z = map(float, orientation)
