"""The diagnostics of a configured policy_node, split into steps, because all of it at once would delay a command."""

from collections.abc import Iterator

from velora_ros.control import Controller
from velora_ros.nodes.policy.connection_checks import ConnectionChecks
from velora_ros.nodes.policy.debug_topics import DebugTopics
from velora_ros.nodes.policy.observation_topics import ObservationTopics
from velora_ros.nodes.policy.state_to_command import StateToCommand
from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.ros.clocks import RobotClock
from velora_ros.policy import Policy

STEPS = 4
"""Number of steps between two diagnostics."""


class PeriodicDiagnostics:
    """
    Checks the node's connections and publishes its diagnostics.

    Args:
        diagnostics: publishes the diagnostics.
        path: the path from states to commands.
        controller: the controller of this path.
        sources: the topics of the observation.
        connections: checks publishers and subscribers.
        debug_topics: the topics for debugging.
        clock: the robot's clock.
    """

    def __init__(
        self,
        diagnostics: Diagnostics,
        path: StateToCommand,
        controller: Controller,
        *,
        sources: ObservationTopics,
        connections: ConnectionChecks,
        debug_topics: DebugTopics,
        clock: RobotClock,
    ) -> None:
        self._diagnostics, self._path, self._controller, self._sources = diagnostics, path, controller, sources
        self._connections, self._debug_topics, self._clock = connections, debug_topics, clock
        self._steps = self._in_steps()

    def step(self, policy: Policy, file: str) -> None:
        """Take the next step; ``file`` is the file of the running policy."""
        self._policy, self._file = policy, file
        next(self._steps)

    def _in_steps(self) -> Iterator[None]:
        controller, path = self._controller, self._path
        while True:
            self._clock.look()
            path.debug = self._debug_topics.look_for_subscribers()
            self._diagnostics.look_for_conflicts()
            yield
            armed, waiting = path.active and controller.is_commanding, path.active and controller.is_waiting
            self._diagnostics.connections = self._connections.check(armed=armed, waiting=waiting) if path.active else []
            self._diagnostics.remark = self._connections.remark
            yield
            timing = path.timing.report()
            self._diagnostics.report_limits(controller.changed.report() if path.active else '')
            yield
            for name, count in self._sources.lost().items():
                controller.counts[f'lost.{name}'] = count
            self._diagnostics.publish(path.status, controller, self._policy, self._file, timing)
            yield
