"""A floating base as messages: its odometry, and what an inertial sensor in it measures."""

from typing import Any

from velora_ros.gym.floating_base import Array, FloatingBase
from velora_ros.nodes.ros.conversions import to_stamp
from velora_ros.nodes.ros.message_types import interface_class


def to_odometry(base: FloatingBase, frame_id: str, child_frame_id: str, stamp: int) -> Any:
    """Return the odometry of a floating base, its twist in ``child_frame_id``, stamped ``stamp`` [ns]."""
    message = interface_class('nav_msgs/msg/Odometry')(child_frame_id=child_frame_id)
    message.header.stamp, message.header.frame_id = to_stamp(stamp), frame_id
    pose, twist = message.pose.pose, message.twist.twist
    pose.position.x, pose.position.y, pose.position.z = map(float, base.position)
    _fill_quaternion(pose.orientation, base.orientation)
    twist.linear.x, twist.linear.y, twist.linear.z = map(float, base.velocity)
    twist.angular.x, twist.angular.y, twist.angular.z = map(float, base.angular_velocity)
    return message


def to_imu(base: FloatingBase, frame_id: str, stamp: int) -> Any:
    """Return what an inertial sensor at the origin of a floating base measures, stamped ``stamp`` [ns]."""
    message = interface_class('sensor_msgs/msg/Imu')()
    message.header.stamp, message.header.frame_id = to_stamp(stamp), frame_id
    _fill_quaternion(message.orientation, base.orientation)
    turns, moves = message.angular_velocity, message.linear_acceleration
    turns.x, turns.y, turns.z = map(float, base.angular_velocity)
    moves.x, moves.y, moves.z = map(float, base.acceleration)
    return message


def _fill_quaternion(message: Any, orientation: Array) -> None:
    message.w, message.x, message.y, message.z = map(float, orientation)
