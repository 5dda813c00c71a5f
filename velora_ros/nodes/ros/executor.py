"""The executor of every node, and the loop that spins it."""

from collections.abc import Callable

from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

from velora_ros.nodes.ros.rclpy_compat import events_executor

# Longest time until a signal is noticed when no message and no timer wakes the executor [s].
POLL_S = 0.05


def spin(node: Node, *, until: Callable[[], bool] = lambda: False) -> None:
    """Run the node's callbacks until ``until()`` is true or the context is shut down."""
    executor = make_executor(node)
    executor.add_node(node)
    shutdown = _Shutdown(node.context)
    try:
        # One event at a time: at full load EventsExecutor.spin() runs no callback, and spin_until_future_complete()
        # does not return for seconds (rclpy 7.1.6).
        while not shutdown.happened and not until():
            executor.spin_once(timeout_sec=POLL_S)
    finally:
        executor.remove_node(node)


class _Shutdown:
    """Notes that a context was shut down; calling ``context.ok()`` for every event takes several times as long."""

    def __init__(self, context: Context) -> None:
        self.happened = not context.ok()
        context.on_shutdown(self._note)

    def _note(self) -> None:
        self.happened = True


def make_executor(node: Node) -> Executor:
    """Return an EventsExecutor, or a SingleThreadedExecutor and a warning if this rclpy has none."""
    executor = events_executor()
    if executor is None:
        node.get_logger().warning(
            'this rclpy has no EventsExecutor, so latency is several times higher; on Jazzy, install rclpy 7.1.4 or '
            'newer. Humble has none.'
        )
        return SingleThreadedExecutor()
    return executor
