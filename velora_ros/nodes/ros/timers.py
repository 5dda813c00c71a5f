"""Timers that come, change and go while a node runs."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.timer import Timer

from velora_ros.nodes.ros.clocks import STEADY

# Below this, timers of rclpy only load the machine [s].
SHORTEST_PERIOD_S = 1e-4
# Above this, some thirty years, nanoseconds no longer fit into the timers' 64 bits [s].
LONGEST_PERIOD_S = 1e9


class Timers:
    """
    One steady timer for each callback.

    Args:
        node: where they live.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._timers: dict[Callable[[], None], tuple[float, Timer]] = {}

    def set(self, callback: Callable[[], None], period: float) -> None:
        """Call back every so many seconds, 0 for never. A timer that does so goes on: no change may hold it up."""
        period = min(period, LONGEST_PERIOD_S)
        before, timer = self._timers.get(callback, (0.0, None))
        if timer is not None and period != before:
            self._node.destroy_timer(timer)
            del self._timers[callback]
        if period and period != before:
            self._timers[callback] = period, self._node.create_timer(period, callback, clock=STEADY)

    def postpone(self, callback: Callable[[], None], seconds: float) -> None:
        """Have the next call come in so many seconds from now; nothing happens where the timer was taken away."""
        if callback in self._timers:
            _, timer = self._timers[callback]
            timer.timer_period_ns = int(min(max(seconds, SHORTEST_PERIOD_S), LONGEST_PERIOD_S) * 1e9)
            timer.reset()
