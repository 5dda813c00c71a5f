"""Reads the fallbacks, the input age and the policy of the commanding node from its diagnostics."""

import time
from typing import Any

from rclpy.node import Node

from velora_ros.control.standing_up import READY, STANDING_UP
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_subscription
from velora_ros.nodes.sim.parameters import OWNER

SWAPS = ('reset.swap', 'swap.taken_over')
"""The names of two counts: policies that took over immediately, and policies that ran silently first."""


class ControllerMonitor:
    """
    Reads what the commanding node publishes on ``/diagnostics``.

    Args:
        node: sim_node.
        name: the commanding node's name; a relative name is in sim_node's namespace.
    """

    def __init__(self, node: Node, name: str) -> None:
        namespace = node.get_namespace().rstrip('/')
        self._name = (name if name.startswith('/') else f'{namespace}/{name}').lstrip('/')
        self._values: dict[str, str] = {}
        self._began = time.monotonic()
        self._counts = dict.fromkeys(('fallbacks', *SWAPS), 0)
        self.fallbacks = 0
        """Number of fallback commands in this run; restarts of the commanding node do not reset it."""
        self.swaps = 0
        """Number of policy changes in this run; restarts of the commanding node do not reset it."""
        create_subscription(node, OWNER, '/diagnostics', self._on_diagnostics)

    @property
    def policy(self) -> str:
        """Path of the running policy; empty until the node has reported it."""
        return self._values.get('policy', '')

    @property
    def drives(self) -> bool | None:
        """Whether the policy drives the robot, so that standing up is over; None until the node has reported."""
        state = self._values.get('state')
        return None if state is None else state not in (STANDING_UP, READY)

    @property
    def input_age(self) -> str:
        """Median age of the states from which the newest commands were computed, as text, such as ``1.20 ms``."""
        age = self._values.get('input_age_ms')
        return f'{float(age):.2f} ms' if age else 'unknown'

    def _on_diagnostics(self, message: Any) -> None:
        values = conversions.from_diagnostics(message, self._name)
        if not values:
            return
        if not self._values and float(values.get('uptime_s', 0)) > time.monotonic() - self._began:
            self._counts = {name: int(values.get(name, '0')) for name in self._counts}  # counted before this run
        self.fallbacks += self._increase(values, 'fallbacks')
        self.swaps += sum(self._increase(values, name) for name in SWAPS)
        self._values = values

    def _increase(self, values: dict[str, str], name: str) -> int:
        """Return the increase of a count; a count that is lower than before belongs to a restarted node."""
        before, self._counts[name] = self._counts[name], int(values.get(name, '0'))
        return self._counts[name] - (before if self._counts[name] >= before else 0)
