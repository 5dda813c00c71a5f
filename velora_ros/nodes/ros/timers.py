"""Timers whose period changes while a node runs."""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node
from rclpy.timer import Timer

# Timers with a shorter period would only waste processor time [s].
SHORTEST_PERIOD_S = 1e-4
# A longer period, above some thirty years, may overflow the 64 bits of a timer's nanoseconds [s].
LONGEST_PERIOD_S = 1e9


class Timers:
    """
    One timer on a steady clock of its own for each callback.

    Args:
        node: the node that owns the timers.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._timers: dict[Callable[[], None], tuple[float, Timer]] = {}

    def set(self, callback: Callable[[], None], period: float) -> None:
        """Call ``callback`` every ``period`` [s], 0 for never; a timer that already has this period is left running."""
        period = min(period, LONGEST_PERIOD_S)
        before, timer = self._timers.get(callback, (0.0, None))
        if timer is not None and period != before:
            self._node.destroy_timer(timer)
            del self._timers[callback]
        if period and period != before:
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timers[callback] = period, self._node.create_timer(period, callback, clock=clock)

    def destroy(self) -> None:
        """Stop all timers."""
        for callback in list(self._timers):
            self.set(callback, 0.0)

    def postpone(self, callback: Callable[[], None], seconds: float) -> None:
        """
        Delay the next call of ``callback`` until ``seconds`` from now; without a timer nothing happens.

        Only the callback itself may do this. When a timer is reset, an EventsExecutor (rclpy 7.1.6) searches for timers
        on the same clock that are due, and calls those again that already wait for their call: twice, and the next call
        is then left out. A clock of its own keeps this from the other timers.
        """
        if callback in self._timers:
            _, timer = self._timers[callback]
            timer.timer_period_ns = int(min(max(seconds, SHORTEST_PERIOD_S), LONGEST_PERIOD_S) * 1e9)
            timer.reset()
