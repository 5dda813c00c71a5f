"""
Turns a state of the robot into a command, without ROS and without a clock.

A state passes through these files in order: ``joint_values.py`` or, with several sources, ``observation.py`` merges the
newest values into an observation. ``controller.py`` steps the policy and decides whether it may command.
``command_limits.py`` limits the command.

The caller passes all times: ``stamp`` and ``now`` [ns] on the robot's clock, ``steady`` [s] on a monotonic clock.
Nothing here imports rclpy or torch, so every rule can be tested by calling functions.
"""

from velora_ros.control.command_limits import Command
from velora_ros.control.controller import Controller
from velora_ros.control.controller_settings import Settings
from velora_ros.control.status import Status

__all__ = ['Command', 'Controller', 'Settings', 'Status']
