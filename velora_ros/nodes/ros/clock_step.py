"""How far ``/clock`` advances at a time: a state may be ahead of a slow one by up to that much."""

from collections.abc import Callable

from rclpy.clock import JumpThreshold, ROSClock, TimeJump
from rclpy.duration import Duration

# A clock that advances by more at a time jumps, it is not slow [s].
LONGEST_STEP_S = 2.0


class ClockStep:
    """
    Measures the steps of a simulated clock; it measures nothing while the node uses the system clock.

    Args:
        clock: the node's clock.
        told: called with the step [s] at every message of ``/clock``: the shorter one of the last two, so that a single
            jump does not count.
    """

    def __init__(self, clock: ROSClock, told: Callable[[float], None]) -> None:
        self._told, self._before = told, 0.0
        threshold = JumpThreshold(min_forward=Duration(nanoseconds=1), min_backward=None, on_clock_change=False)
        self._handle = clock.create_jump_callback(threshold, post_callback=self._on_jump)

    def close(self) -> None:
        """Measure no longer."""
        self._handle.unregister()

    def _on_jump(self, jump: TimeJump) -> None:
        step = jump.delta.nanoseconds * 1e-9
        self._told(min(step, self._before, LONGEST_STEP_S))
        self._before = step
