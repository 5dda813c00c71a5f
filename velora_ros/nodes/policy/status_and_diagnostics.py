"""The reports of policy_node: its latched status, its diagnostics, and warnings about its topics and its name."""

import math
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_policy_name_from_kind

from velora_ros.control import Controller, Status
from velora_ros.control.loop_timing import TimingReport
from velora_ros.control.status import WAITING
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.policy import Policy

LOG_PERIOD_S = 1.0

UNCONFIGURED = Status('ok', 'unconfigured', '')


class Diagnostics:
    """
    Publishes and logs the node's status when it changes, and publishes its diagnostics.

    Args:
        node: policy_node itself.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._status = create_publisher(node, 'policy_node', '~/status')
        self._publisher = create_publisher(node, 'policy_node', '/diagnostics')
        self._last = Status('', '', '')
        self._logged: dict[tuple[str, ...], float] = {}
        self._conflict = ''
        # For each topic with an incompatible publisher or subscriber: the warning, the function that counts them, and
        # their number at the time of the warning.
        self._incompatible: dict[str, tuple[str, Callable[[str], int], int]] = {}
        self._refused_policy = ''
        self.connections: list[str] = []
        """Problems with the publishers and subscribers of the topics, one sentence each."""
        self.limits = ''
        """A warning that limits change too many commands, or ''; its numbers vary, so only the first one is logged."""
        self.remark = ''
        """While the controller waits for its first state: which nodes publish it."""
        self._published: tuple[str, str] = ('', '')  # level and text
        self._logged_connections: list[str] = []
        self._began = time.monotonic()

    def publish_status(self, status: Status, *, force: bool = False) -> None:
        """
        Publish and log a status if its level or state is new; with ``force``, also publish one with only a new reason.

        Reasons contain numbers: publishing each of them would slow the loop down. The log repeats no status within a
        second, however often good and bad states alternate. The reason of a fault does not change, so a fault with a
        different reason is a new status.
        """
        is_new = _identity(status) != _identity(self._last)
        if not is_new and not force:
            return
        level, text = self._with_warnings(status)
        if is_new:
            self._log(status)
        elif (level, text) == self._published:
            return
        self._last, self._published = status, (level, text)
        self._status.publish(conversions.to_diagnostic(self._name, level, text, {}))

    def policy_swapped(self, controller: Controller, path: str, refusal: str) -> None:
        """Log that a new policy runs or why it was refused; the diagnostics show a refusal until the next change."""
        self._refused_policy = refusal
        controller.counts['swap.failed'] += bool(refusal)
        if refusal:
            self._node.get_logger().error(refusal)
        else:
            self._node.get_logger().info(f'running the policy {path}')

    def publish(self, status: Status, controller: Controller, policy: Policy, path: str, timing: TimingReport) -> None:
        """Publish the diagnostics: rate, latency, input age, counters, fault and policy."""
        values = _values(controller, policy, path, timing)
        self._publish(status, values, robot=policy.content.environment or '')

    def publish_idle(self, status: Status) -> None:
        """Publish the diagnostics of a node that is not configured: only the status and a latched fault."""
        self._publish(status, {'fault': status.reason if status.level == 'error' else ''})

    def on_incompatible_qos(self, name: str, other: str, own: str, event: Any) -> None:
        """
        Warn that another node's quality of service is incompatible with this node's.

        Args:
            name: the topic.
            other: the other node's end, ``publisher`` or ``subscriber``.
            own: this node's end, ``subscription`` or ``publisher``.
            event: the middleware's event.
        """
        topic = self._node.resolve_topic_name(name)
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        text = (
            f"a {other} of '{topic}' has an incompatible {policy}, so it exchanges no messages with this node; "
            f'set qos_overrides.{topic}.{own}.{policy}'
        )
        count = self._node.count_publishers if other == 'publisher' else self._node.count_subscribers
        self._incompatible[topic] = text, count, max(count(topic), 1)
        self._node.get_logger().warning(text)

    def _publish(self, status: Status, values: dict[str, Any], robot: str = '') -> None:
        self._log_connections()
        self.publish_status(status, force=True)
        level, text = self._with_warnings(status)
        message = conversions.to_diagnostic(
            f'{self._name}: control',
            level,
            text,
            {'state': status.state, 'uptime_s': time.monotonic() - self._began, **values},
            hardware_id=conversions.hardware_id(self._node.get_namespace(), robot),
        )
        self._publisher.publish(conversions.to_diagnostics(message, self._node.get_clock().now().nanoseconds))

    def _with_warnings(self, status: Status) -> tuple[str, str]:
        """Return level and text of a status together with all warnings."""
        incompatible = [text for text, _, _ in self._incompatible.values()]
        found = self._conflict, *incompatible, self._refused_policy, *self.connections, self.limits
        warnings = [text for text in found if text]
        level = 'warn' if warnings and status.level == 'ok' else status.level
        remarks = [self.remark] if self.remark and status.reason.startswith(WAITING) else []
        return level, '; '.join([status.text, *remarks, *warnings])

    def report_limits(self, warning: str) -> None:
        """Set the warning about limits in the diagnostics, '' for none; log it if there was none before."""
        if warning and not self.limits:
            self._node.get_logger().warning(warning)
        self.limits = warning

    def _log_connections(self) -> None:
        for text in self.connections:
            if text not in self._logged_connections:
                self._node.get_logger().warning(text)
        self._logged_connections = list(self.connections)

    def look_for_conflicts(self) -> None:
        """Warn about a second publisher of this node's commands and about a second node with its name."""
        node = self._node
        for name, (_, count_of, before) in list(self._incompatible.items()):
            if count_of(name) < before:
                del self._incompatible[name]  # the incompatible node has ended
        conflicts = []
        topic = node.resolve_topic_name('command')
        if (count := node.count_publishers(topic)) > 1:
            conflicts.append(f"'{topic}' has {count} publishers; stop all but one")
        own = (node.get_name(), node.get_namespace())
        if (count := node.get_node_names_and_namespaces().count(own)) > 1:
            conflicts.append(f'{count} nodes are called {node.get_fully_qualified_name()}; rename all but one')
        conflict = '; '.join(conflicts)
        if conflict and conflict != self._conflict:
            node.get_logger().warning(conflict)
        self._conflict = conflict

    def _log(self, status: Status) -> None:
        now = time.monotonic()
        if now - self._logged.get(_identity(status), -math.inf) < LOG_PERIOD_S:
            return
        self._logged[_identity(status)] = now
        # One line for each level: rclpy does not allow a line of code to log at different levels.
        if status.level == 'error':
            self._node.get_logger().error(status.text)
        elif status.level == 'warn':
            self._node.get_logger().warning(status.text)
        else:
            self._node.get_logger().info(status.text)

    @property
    def _name(self) -> str:
        return self._node.get_fully_qualified_name().lstrip('/')


def _identity(status: Status) -> tuple[str, ...]:
    """Return the parts of a status whose change must be published: level, state, and the reason of an error."""
    return status if status.level == 'error' else status[:2]


def _values(controller: Controller, policy: Policy, path: str, timing: TimingReport) -> dict[str, Any]:
    return {
        'armed': controller.armed,
        'fault': controller.fault,
        'rate_hz': timing.rate_hz,
        'jitter_us': timing.jitter_us,
        'latency_p50_us': timing.latency_p50_us,
        'latency_p99_us': timing.latency_p99_us,
        'latency_max_us': timing.latency_max_us,
        'input_age_ms': timing.input_age_ms,
        'dt_s': policy.period if controller.dt is None else controller.dt,
        'observations': controller.counts['observations'],
        'commands': controller.counts['commands'],
        'fallbacks': controller.counts['fallbacks'],
        'repeats': controller.counts['repeats'],
        'interpolated': controller.counts['interpolated'],
        'superseded': controller.counts['superseded'],
        'drops': _total(controller, 'rejected'),
        'resets': _total(controller, 'reset'),
        'faults': _total(controller, 'fault'),
        **{name: count for name, count in sorted(controller.counts.items()) if '.' in name},
        'policy': path,
        'digest': policy.digest,
        'engine': policy.engine,
    }


def _total(controller: Controller, kind: str) -> int:
    return sum(count for name, count in controller.counts.items() if name.startswith(f'{kind}.'))
