"""Commands a robot without a user: publishes twists or goals, but none while another node publishes them."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node

from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.parameters import OWNER, TWIST_TYPES
from velora_ros.nodes.sim.robot_protocol import Array
from velora_ros.tasks.command_pattern import HOLD_S, twist_pattern
from velora_ros.tasks.task_robot import TaskRobot

TWIST_PERIOD_S, GOAL_PERIOD_S = 0.1, 0.5
"""Time between two twists, and between two goals [s]."""
CHECK_PERIOD_S = 1.0
"""Time between two checks whether an episode is over [s]."""
SILENCE_S = {'twist': 2.0, 'goal': 20.0}
"""Time without publishing after a message from another node [s]."""
PATIENCE_S = 3.0
"""Time for which the robot moves before commands begin, if its controller does not report its state [s]."""
_REMEMBERED = 30  # own messages that may still be on their way back


class HandsFreeDriver:
    """
    Publishes the commands of a task: twists in a fixed pattern over the range of training, or goals as in training.

    The pattern begins, and the first goal is drawn again, once the policy drives the robot, which may have to stand up
    first. If each episode has one goal, the next episode is requested when the goal is reached, or when the length of
    an episode is over.

    Args:
        node: sim_node.
        robot: the robot.
        on_command: called with the name of a command and its values as they are published.
        drives: returns whether the policy drives the robot; None if that is not known.
        values: the node's parameters.
    """

    def __init__(
        self,
        node: Node,
        robot: TaskRobot,
        on_command: Callable[[str, Array], None],
        drives: Callable[[], bool | None],
        values: Values,
    ) -> None:
        self._node, self._robot, self._on_command, self._drives = node, robot, on_command, drives
        self._began: float | None = None
        self._twist_type = values['cmd_vel_type']
        self._frame = values['frame_prefix'] + values['odom_frame_id' if robot.sensors.has_base else 'base_frame_id']
        self._base_frame = values['frame_prefix'] + values['base_frame_id']
        self._rng = np.random.default_rng(values['seed'])
        self._publishers: dict[str, Any] = {}
        self._goals: dict[str, Array] = {}
        self._changes: dict[str, float] = {}
        self._own: dict[str, deque[tuple[float, ...]]] = {}
        self._due: dict[str, float] = {}
        self._silent_until: dict[str, float] = {}
        self._check_due = 0.0
        self._commands = {name: one for name, one in robot.task.commands.items() if one.read_from is not None}
        for name, one in self._commands.items():
            row, kind = ('cmd_vel', TWIST_TYPES[self._twist_type]) if self._is_twist(name) else ('goal_pose', '')
            self._publishers[name] = create_publisher(node, OWNER, row, topic_name=one.read_from.topic, kind=kind)
            self._own[name] = deque(maxlen=_REMEMBERED)
        self.begin_episode(0.0)

    def is_own(self, name: str, values: Array) -> bool:
        """Return whether this driver itself published the command that was received."""
        return tuple(values.tolist()) in self._own[name]

    def yield_to_others(self, name: str, now: float) -> None:
        """Publish nothing for :data:`SILENCE_S`, because another node published a command at ``now`` [s]."""
        if now >= self._silent_until.get(name, 0.0):
            self._node.get_logger().info(f"another node publishes the command '{name}', so sim_node does not")
        self._silent_until[name] = now + SILENCE_S['twist' if self._is_twist(name) else 'goal']

    def begin_episode(self, now: float) -> None:
        """Draw the goals of a new episode and publish them; if ``now`` [s] is 0, they are published later."""
        self._draw_goals()
        if now:
            self.end_period(now)

    def end_period(self, now: float) -> bool:
        """Publish the messages that are due at ``now`` [s]; return whether another episode should begin."""
        if self._began is None and self._may_begin():
            self._began = self._robot.time
            self._draw_goals()
        for name, one in self._commands.items():
            if one.when is not None and one.when(self._robot.sim)[0]:
                self._changes[name] = self._due[name] = 0.0
            if now >= self._due[name] and now >= self._silent_until.get(name, 0.0):
                self._publish(name, now)
        if now < self._check_due:
            return False
        self._check_due = now + CHECK_PERIOD_S
        return self._robot.is_over

    def _may_begin(self) -> bool:
        """Return whether the policy drives the robot or, if it does not report this, :data:`PATIENCE_S` is over."""
        drives = self._drives()
        if drives is None:
            return self._robot.time - self._robot.held_time > PATIENCE_S or self._robot.time > 2 * PATIENCE_S
        return drives

    def _publish(self, name: str, now: float) -> None:
        twist = self._is_twist(name)
        values = self._twist(name) if twist else self._goal(name)
        self._due[name] = now + (TWIST_PERIOD_S if twist else GOAL_PERIOD_S) - self._robot.spec.control_period / 2
        self._own[name].append(tuple(values.tolist()))
        self._on_command(name, values)
        self._publishers[name].publish(self._twist_message(values) if twist else self._goal_message(values))

    def _is_twist(self, name: str) -> bool:
        return bool(self._commands[name].read_from.type == 'Twist')

    def _twist(self, name: str) -> Array:
        one = self._commands[name]
        pattern = twist_pattern(one.low, one.high)
        driven = 0.0 if self._began is None else self._robot.time - self._began
        found: Array = pattern[int(driven / HOLD_S) % len(pattern)]
        return found

    def _goal(self, name: str) -> Array:
        """Return the current goal; draw a new one if its time is over."""
        if self._robot.time >= self._changes[name]:
            self._draw_goal(name)
        return self._goals[name]

    def _draw_goals(self) -> None:
        for name in self._commands:
            self._due[name] = 0.0
            if not self._is_twist(name):
                self._draw_goal(name)

    def _draw_goal(self, name: str) -> None:
        every = self._commands[name].every
        self._goals[name] = self._robot.sample_command(name)
        self._changes[name] = np.inf if every is None else self._robot.time + float(self._rng.uniform(*every))

    def _twist_message(self, values: Array) -> Any:
        message = interface_class(TWIST_TYPES[self._twist_type])()
        twist = getattr(message, 'twist', message)
        twist.linear.x, twist.linear.y, twist.angular.z = map(float, values)
        if twist is not message:
            message.header.stamp = self._node.get_clock().now().to_msg()
            message.header.frame_id = self._base_frame
        return message

    def _goal_message(self, values: Array) -> Any:
        message = interface_class('geometry_msgs/msg/PoseStamped')()
        message.header.stamp, message.header.frame_id = self._node.get_clock().now().to_msg(), self._frame
        place = message.pose.position
        place.x, place.y, place.z = map(float, values)
        message.pose.orientation.w = 1.0
        return message
