"""
The least that a node can do with a state: send its positions back as a command, with the same topics and QoS.

    python benchmarks/node_echo.py events|default [quadruped]

As a quadruped's node it also subscribes Imu and cmd_vel, and keeps the newest message of each.
"""

import sys
from typing import Any

import rclpy
from geometry_msgs.msg import Twist
from rclpy.executors import ExternalShutdownException
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float64MultiArray

from velora_ros.nodes.ros.topics_services_qos import topic


class Echo(Node):
    """Sends the positions of a JointState back as a Float64MultiArray; the message object is reused."""

    def __init__(self, *, is_quadruped: bool = False) -> None:
        super().__init__('echo')
        command, state = topic('policy_node', 'out', 'command'), topic('policy_node', 'in', 'joint_states')
        self._message = Float64MultiArray()
        self._publisher = self.create_publisher(Float64MultiArray, 'command', command.qos.profile())
        self.create_subscription(JointState, 'joint_states', self._answer, state.qos.profile())
        self._newest: dict[type, Any] = {}
        if is_quadruped:
            profile = topic('policy_node', 'in', 'observation').qos.profile()
            self.create_subscription(Imu, 'imu/data', self._keep, profile)
            self.create_subscription(Twist, 'cmd_vel', self._keep, profile)

    def _answer(self, state: JointState) -> None:
        self._message.data = state.position
        self._publisher.publish(self._message)

    def _keep(self, message: Any) -> None:
        self._newest[type(message)] = message


def main() -> None:
    """Echo until SIGINT."""
    rclpy.init()
    node = Echo(is_quadruped='quadruped' in sys.argv[2:])
    try:
        if sys.argv[1] == 'default':
            rclpy.spin(node)
        executor = EventsExecutor()
        executor.add_node(node)
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.05)  # as policy_node does
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()  # else the middleware's threads outlive the interpreter
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
