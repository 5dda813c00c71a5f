"""
What happens between a message and a command, without ROS and without a clock.

Times come in as arguments: stamps and "now" in nanoseconds of the ROS clock, ``steady`` in seconds of a clock that
never jumps. Nothing here imports rclpy or torch, so every rule can be tested by calling functions.
"""

from velora_ros.control.controller import Controller, Status
from velora_ros.control.safety import Command, Settings

__all__ = ['Command', 'Controller', 'Settings', 'Status']
