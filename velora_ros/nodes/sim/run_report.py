"""What sim_node tells people: a line each second, diagnostics, and the summary at the end."""

import json
import time
from typing import Any

from rclpy.node import Node

from velora_ros.control.loop_timing import TimingReport
from velora_ros.control.run_statistics import failures
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher, create_subscription
from velora_ros.nodes.sim.loop import SimLoop
from velora_ros.nodes.sim.parameters import OWNER
from velora_ros.utils import write_line


class Controller:
    """
    What the commanding node says of itself in ``/diagnostics``.

    Args:
        node: sim_node itself.
        name: the commanding node's name; a relative one is in sim_node's namespace.
    """

    def __init__(self, node: Node, name: str) -> None:
        namespace = node.get_namespace().rstrip('/')
        self._name = (name if name.startswith('/') else f'{namespace}/{name}').lstrip('/')
        self._values: dict[str, str] = {}
        self._began = time.monotonic()
        self._counted = {'fallbacks': 0, 'reset.swap': 0}
        self.fallbacks = 0
        """Fallback commands so far, over all lives of the node."""
        self.swaps = 0
        """Policies swapped in so far, over all lives of the node."""
        create_subscription(node, OWNER, '/diagnostics', self._on_diagnostics)

    @property
    def policy(self) -> str:
        """Path of the running policy; empty before the node said so."""
        return self._values.get('policy', '')

    @property
    def input_age(self) -> str:
        """Median age of the states that its newest commands answered, as text."""
        age = self._values.get('input_age_ms')
        return f'{float(age):.2f} ms' if age else 'unknown'

    def _on_diagnostics(self, message: Any) -> None:
        values = conversions.from_diagnostics(message, self._name)
        if not values:
            return
        if not self._values and float(values.get('uptime_s', 0)) > time.monotonic() - self._began:
            self._counted = {name: int(values.get(name, '0')) for name in self._counted}  # another run's
        self.fallbacks += self._new(values, 'fallbacks')
        self.swaps += self._new(values, 'reset.swap')
        self._values = values

    def _new(self, values: dict[str, str], name: str) -> int:
        """Return by how much a count grew; one that fell begins anew with a new life of the node."""
        before, self._counted[name] = self._counted[name], int(values.get(name, '0'))
        return self._counted[name] - (before if self._counted[name] >= before else 0)


class Report:
    """
    Logs, publishes and sums up.

    Args:
        node: sim_node itself.
        loop: the running simulation.
        controller: what the commanding node says of itself.
    """

    def __init__(self, node: Node, loop: SimLoop, controller: Controller) -> None:
        self._node = node
        self._loop = loop
        self._controller = controller
        self._hardware_id = conversions.hardware_id(node.get_namespace(), str(node.get_parameter('env').value))
        self._diagnostics = create_publisher(node, OWNER, '/diagnostics')

    def second(self, now: float, *, line: bool) -> None:
        """Publish the diagnostics, and log the line unless the simulation is paused."""
        state, window = self._loop.state, self._loop.statistics.window(self._controller.swaps)
        if line and state != 'paused':
            self._node.get_logger().info(self._line(state, window))
        level = 'ok' if state == 'moving' else 'warn'
        status = conversions.to_diagnostic(
            f'{self._name}: simulation', level, state, self._values(now, window), hardware_id=self._hardware_id
        )
        self._loop.clock.warn_of_others()
        stamp = self._loop.stamp if self._loop.clock.published else self._node.get_clock().now().nanoseconds
        self._diagnostics.publish(conversions.to_diagnostics(status, stamp))

    def summary(self, now: float, *, judge: bool, line: bool, learning: bool = False) -> bool:
        """
        Sum the run up; return whether it passed.

        Args:
            now: the steady clock [s].
            judge: say why it did not.
            line: print the summary in JSON on standard output; else it is logged, in short.
            learning: the controller learnt meanwhile.
        """
        controller = self._controller
        self._loop.statistics.window(controller.swaps)
        summary = self._loop.statistics.summary(
            now, self._loop.progress, fallbacks=controller.fallbacks, policy=controller.policy
        )
        summary['node'] = self._name
        summary['faults'] = {name: count for name, count in self._loop.faults.counts.items() if count}
        reasons = failures(summary, learning=learning)
        if reasons and judge:
            self._node.get_logger().error(f'the run did not pass: {"; ".join(reasons)}')
        if line:
            write_line(json.dumps(summary))
        else:
            self._node.get_logger().info(
                f'{summary["sim_seconds"]:.1f} s simulated: {summary["states"]} states, {summary["commands"]} '
                f'commands, {summary["falls"]} falls, mean return {summary["mean_return"]:.1f}'
            )
        return not reasons

    @property
    def _name(self) -> str:
        return self._node.get_fully_qualified_name().lstrip('/')

    def _line(self, state: str, window: TimingReport) -> str:
        progress, falls, swaps = self._loop.progress, self._loop.statistics.falls, self._controller.swaps
        return (
            f'{progress.time - progress.held:7.1f} s  {state}{f", fell {falls} times" if falls else ""}'
            f'{f", swapped in {swaps} policies" if swaps else ""} '
            f'| return {progress.episode_return:.1f} | commands {window.rate_hz:.1f} Hz '
            f'| latency p50 {window.latency_p50_us / 1e3:.2f} p99 {window.latency_p99_us / 1e3:.2f} ms '
            f'| input age {self._controller.input_age}'
        )

    def _values(self, now: float, window: TimingReport) -> dict[str, Any]:
        progress, statistics, pacer = self._loop.progress, self._loop.statistics, self._loop.pacer
        return {
            'sim_seconds': progress.time - progress.held,
            'held_s': progress.held,
            'real_time_factor': statistics.real_time_factor(now, progress),
            'overruns': pacer.overruns,
            'slipped_s': pacer.slipped,
            'episode_return': progress.episode_return,
            'terminated': statistics.terminated,
            'truncated': statistics.truncated,
            'resets': statistics.resets,
            'falls': statistics.falls,
            'swaps': self._controller.swaps,
            'states': statistics.states,
            'commands': statistics.received - self._controller.fallbacks,
            'rate_hz': window.rate_hz,
            'latency_p50_us': window.latency_p50_us,
            'latency_p99_us': window.latency_p99_us,
            'latency_max_us': window.latency_max_us,
            **{f'faults.{name}': count for name, count in self._loop.faults.counts.items() if count},
        }
