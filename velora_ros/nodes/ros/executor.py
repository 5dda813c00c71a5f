"""The executor of every node, and the loop that spins it."""

from collections.abc import Callable

import rclpy.utilities
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

from velora_ros.nodes.ros.rclpy_compat import events_executor

# Longest time until a signal is noticed when no message and no timer wakes the executor [s].
POLL_S = 0.05


def spin(node: Node, *, until: Callable[[], bool] = lambda: False) -> None:
    """Run the node's callbacks until ``until()`` is true or the context is shut down."""
    executor = make_executor(node)
    executor.add_node(node)
    try:
        # Always with a timeout: EventsExecutor.spin() hangs at full load and runs no callback (rclpy 7.1.6).
        while rclpy.utilities.ok() and not until():
            executor.spin_once(timeout_sec=POLL_S)
    finally:
        executor.remove_node(node)


def make_executor(node: Node) -> Executor:
    """Return an EventsExecutor, or a SingleThreadedExecutor and a warning if this rclpy has none."""
    executor = events_executor()
    if executor is None:
        node.get_logger().warning(
            'this rclpy has no EventsExecutor, so latency is several times higher; Jazzy has it from rclpy 7.1.4 on, '
            'Humble does not.'
        )
        return SingleThreadedExecutor()
    return executor
