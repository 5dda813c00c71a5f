"""The commands that a task's robot receives over ROS: the twist or goal against which the run is evaluated."""

import time
from typing import Any

import numpy as np
from rclpy.node import Node

from velora_ros.nodes.ros.endpoints import create_subscription
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.controller_monitor import ControllerMonitor
from velora_ros.nodes.sim.hands_free_driver import HandsFreeDriver
from velora_ros.nodes.sim.parameters import OWNER, TWIST_TYPES
from velora_ros.nodes.sim.robot_protocol import Array
from velora_ros.tasks.task_robot import TaskRobot

WARNING_PERIOD_S = 5.0


class TaskCommands:
    """
    Subscribes to ``cmd_vel`` or ``goal_pose``, depending on the task, and passes the commands to the task.

    As in policy_node, a twist that is older than the task's time-out counts as zero.

    Args:
        node: sim_node.
        robot: the robot.
        values: the node's parameters.
        controller: has what the commanding node reports.
    """

    def __init__(self, node: Node, robot: TaskRobot, values: Values, controller: ControllerMonitor) -> None:
        self._node, self._robot, self._controller = node, robot, controller
        self._newest: dict[str, tuple[Array, float]] = {}
        self._frames = {
            '',
            values['frame_prefix'] + values['odom_frame_id' if robot.sensors.has_base else 'base_frame_id'],
        }
        self._driver: HandsFreeDriver | None = None
        if values['drive']:
            self._driver = HandsFreeDriver(node, robot, self._receive, lambda: controller.drives, values)
        for name, one in robot.task.commands.items():
            if one.read_from is None:  # the command is not in a message
                continue
            topic = one.read_from.topic
            if one.read_from.type == 'Twist':
                kind = interface_class(TWIST_TYPES[values['cmd_vel_type']])
                create_subscription(node, OWNER, 'cmd_vel', self._twist_callback(name), topic_name=topic, kind=kind)
            else:
                create_subscription(node, OWNER, 'goal_pose', self._goal_callback(name), topic_name=topic)

    def end_period(self) -> bool:
        """Pass the newest commands to the task; return whether the hands-free driver requests the next episode."""
        now = time.monotonic()
        self._robot.is_driven = self._controller.drives is not False
        for name, (values, received) in self._newest.items():
            timeout = self._robot.task.commands[name].timeout
            stale = timeout is not None and now - received > timeout
            self._robot.set_command(name, np.zeros_like(values) if stale else values)
        return self._driver is not None and self._driver.end_period(now)

    def begin_episode(self) -> None:
        """Draw and publish the commands of a new episode, if ``drive`` is set."""
        if self._driver is not None:
            self._driver.begin_episode(time.monotonic())

    def _receive(self, name: str, values: Array) -> None:
        self._newest[name] = values, time.monotonic()

    def _twist_callback(self, name: str) -> Any:
        def on_twist(message: Any) -> None:
            twist = getattr(message, 'twist', message)
            self._on_command(name, np.array([twist.linear.x, twist.linear.y, twist.angular.z]))

        return on_twist

    def _goal_callback(self, name: str) -> Any:
        def on_goal(message: Any) -> None:
            if message.header.frame_id not in self._frames:
                self._node.get_logger().warning(
                    f"a goal in the frame '{message.header.frame_id}' is ignored in the run's figures; publish goals "
                    f'in the frame {" or ".join(sorted(self._frames - {""}))}.',
                    throttle_duration_sec=WARNING_PERIOD_S,
                )
                return
            place = message.pose.position
            self._on_command(name, np.array([place.x, place.y, place.z]))

        return on_goal

    def _on_command(self, name: str, values: Array) -> None:
        if not np.isfinite(values).all():
            self._node.get_logger().warning(
                f"the command '{name}' of {values.tolist()} is ignored; every value must be finite.",
                throttle_duration_sec=WARNING_PERIOD_S,
            )
            return
        if self._driver is not None and not self._driver.is_own(name, values):
            self._driver.yield_to_others(name, time.monotonic())
        self._receive(name, values)
