"""The timers of a configured policy_node: the watchdog, the age of the input, the fixed rate, and interpolation."""

import time

from velora_ros.control import Controller
from velora_ros.nodes.policy.state_to_command import StateToCommand
from velora_ros.nodes.ros.timers import Timers

# The watchdog checks for silence a second time after this share of its timeout; the fault is latched that much later.
SECOND_LOOK = 0.05


class LoopTimers:
    """
    Runs the timers whose work must not wait for a new state.

    Args:
        timers: the node's timers.
        controller: gives the times of the next checks.
        path: sends the commands.
    """

    def __init__(self, timers: Timers, controller: Controller, path: StateToCommand) -> None:
        self._timers, self._controller, self._path = timers, controller, path
        self._was_silent = False

    def set(self) -> None:
        """Start each timer unless it is switched off or the path is inactive; stop the others."""
        active, rate = self._path.active, self._path.rate
        timeout = self._controller.safety.watchdog_timeout
        self._timers.set(self._on_watchdog, timeout if active and timeout != float('inf') else 0.0)
        self._timers.set(self._path.on_rate, 1.0 / rate if active and rate > 0 else 0.0)
        self._timers.set(self._path.on_interpolate, self._path.between if active else 0.0)
        self._timers.set(self._on_stale, self._first_look if active else 0.0)

    def _on_watchdog(self) -> None:
        """
        Check for silence, and set the next check to the moment when the newest state becomes too old.

        A fault needs two checks in a row that find silence: between them, a process that was blocked itself reads the
        queued states.
        """
        left = self._controller.until_watchdog(time.monotonic())
        self._was_silent = left <= 0 and not self._was_silent
        if left <= 0 and not self._was_silent:
            self._path.send(self._controller.watchdog(time.monotonic()))
        else:
            self._path.publish_status()
        second = SECOND_LOOK * self._controller.safety.watchdog_timeout
        self._timers.postpone(self._on_watchdog, left if left > 0 else second)

    @property
    def _first_look(self) -> float:
        """Time until the age of the input is first checked [s]; 0 if velocities and efforts may outlive it."""
        safety = self._controller.safety
        return safety.max_state_age if safety.zeroes_at_once and safety.max_state_age != float('inf') else 0.0

    def _on_stale(self) -> None:
        """Zero velocities and efforts as soon as their input is too old, and check again when that can next happen."""
        left = self._controller.until_zero(time.monotonic())
        if left <= 0:
            self._path.send(self._controller.zero(time.monotonic()))
        self._timers.postpone(self._on_stale, left if 0 < left < float('inf') else self._first_look)
