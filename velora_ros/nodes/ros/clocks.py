"""
The clocks of the nodes: the robot's clock and the system time for stamps, the steady clock for timers.

The clock that sim_node publishes is in ``nodes/sim/clock_publisher.py``.
"""

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType, JumpThreshold, ROSClock, TimeJump  # type: ignore[attr-defined]
from rclpy.duration import Duration

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""The clock of timers that must continue while ``/clock`` is stopped."""

# If the offset between the system clock and the steady clock changes by more than this, the system clock was set [ns].
# Slewing moves both clocks and does not change the offset.
STEP_NS = 1_000_000
# Longest time between two readings that count as simultaneous; it is longer if the process was preempted [ns].
TOGETHER_NS = 100_000
# A longer step of /clock is a jump of time, not a low publishing rate [s].
LONGEST_STEP_S = 2.0


class RobotClock:
    """
    The robot's clock, which stamps its states: the system clock, or ``/clock`` if ``use_sim_time`` is set.

    Args:
        clock: the node's clock.
    """

    def __init__(self, clock: ROSClock) -> None:
        self._clock = clock
        self.look()

    def look(self) -> None:
        """Check whether ``use_sim_time`` is set; call this about once a second, because it can change."""
        self._is_simulated = self._clock.ros_time_is_active

    def now(self) -> int:
        """Return the time [ns]; 0 before the first message of ``/clock``."""
        # time.time_ns() takes a tenth of the time that Clock.now() takes.
        return self._clock.now().nanoseconds if self._is_simulated else time.time_ns()


class SystemTime:
    """
    Converts times on the steady clock into system time.

    The result advances as evenly as the steady clock. When the system clock is set, for example by time
    synchronisation, the result follows; otherwise all later stamps would look old. The same applies after the machine
    was suspended, because the steady clock stops meanwhile.

    Args:
        system: reads the system clock [ns].
        steady: reads the steady clock [ns].
    """

    def __init__(self, system: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        self._system, self._steady = system, steady
        self._offset = system() - steady()

    def of(self, moment: float) -> int:
        """Return the system time [ns] at ``moment``, a time on the steady clock [s]."""
        before = self._steady()
        offset = self._system() - before
        together = self._steady() - before <= TOGETHER_NS
        if together and abs(offset - self._offset) > STEP_NS:
            self._offset = offset
        return self._offset + round(moment * 1e9)


class ClockStep:
    """
    Measures how much each message of ``/clock`` advances the time; a state may be ahead of the clock by one step.

    Nothing is measured while the node uses the system clock.

    Args:
        clock: the node's clock.
        on_step: called at every message of ``/clock`` with the shorter of its last two steps [s], so that a single
            jump does not count.
    """

    def __init__(self, clock: ROSClock, on_step: Callable[[float], None]) -> None:
        self._on_step, self._before = on_step, 0.0
        threshold = JumpThreshold(min_forward=Duration(nanoseconds=1), min_backward=None, on_clock_change=False)
        self._handle = clock.create_jump_callback(threshold, post_callback=self._on_jump)

    def close(self) -> None:
        """Stop measuring."""
        self._handle.unregister()

    def _on_jump(self, jump: TimeJump) -> None:
        step = jump.delta.nanoseconds * 1e-9
        self._on_step(min(step, self._before, LONGEST_STEP_S))
        self._before = step
