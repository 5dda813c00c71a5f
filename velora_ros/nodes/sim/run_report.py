"""The report of a simulated run: a log line and diagnostics once a second, and a summary at the end."""

import json
from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from velora_ros.control.loop_timing import TimingReport
from velora_ros.control.pass_criteria import failures
from velora_ros.control.run_summary import MINUTE_S
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.sim.controller_monitor import ControllerMonitor
from velora_ros.nodes.sim.loop import SimLoop
from velora_ros.nodes.sim.parameters import OWNER
from velora_ros.tasks.task_robot import TaskRobot
from velora_ros.utils.output import write_line

RECENT_S = 10.0
"""The status line shows the task's figures of the last time span of this length [s]."""
_TOLD = ('tracking', 'reached', 'collisions')


class RunReport:
    """
    Logs and publishes the progress of the run, and summarises it at the end.

    Args:
        node: sim_node.
        loop: the running simulation.
        controller: has what the commanding node reports.
    """

    def __init__(self, node: Node, loop: SimLoop, controller: ControllerMonitor) -> None:
        self._node = node
        self._loop = loop
        self._controller = controller
        robot = node.get_parameter('task').value or node.get_parameter('env').value
        self._hardware_id = conversions.hardware_id(node.get_namespace(), str(robot))
        self._diagnostics = create_publisher(node, OWNER, '/diagnostics')

    def publish(self, now: float, *, log: bool) -> None:
        """
        Publish the diagnostics; call it once a second.

        Args:
            now: the time on the steady clock [s].
            log: whether to log the status line too, unless the simulation is paused.
        """
        state, window = self._loop.state, self._loop.statistics.window(self._controller.swaps)
        if log and state != 'paused':
            self._node.get_logger().info(self._status_line(state, window))
        level = 'ok' if state == 'moving' else 'warn'
        status = conversions.to_diagnostic(
            f'{self._name}: simulation', level, state, self._values(now, window), hardware_id=self._hardware_id
        )
        stamp = self._loop.stamp if self._loop.clock.is_publishing else self._node.get_clock().now().nanoseconds
        self._diagnostics.publish(conversions.to_diagnostics(status, stamp))

    def summarise(self, now: float, *, log_failures: bool, print_json: bool, learning: bool = False) -> bool:
        """
        Summarise the run; return whether it passed.

        Args:
            now: the time on the steady clock [s].
            log_failures: whether to log why the run did not pass.
            print_json: whether to print the summary in JSON on standard output; otherwise a short one is logged.
            learning: whether the controller learned during the run; then only falls in the last minute count.
        """
        controller = self._controller
        self._loop.statistics.window(controller.swaps)
        summary = self._loop.statistics.summary(
            now, self._loop.progress, fallbacks=controller.fallbacks, policy=controller.policy
        )
        summary['node'] = self._name
        if isinstance(self._loop.robot, TaskRobot):
            summary |= task_figures(self._loop.robot, summary)
        summary['faults'] = {name: count for name, count in self._loop.faults.counts.items() if count}
        reasons = failures(summary, learning=learning)
        if reasons and log_failures:
            self._node.get_logger().error(f'the run did not pass: {"; ".join(reasons)}')
        if print_json:
            write_line(json.dumps(summary))
        else:
            self._node.get_logger().info(
                f'{summary["sim_seconds"]:.1f} s simulated: {summary["states"]} states, {summary["commands"]} '
                f'commands, {summary["falls"]} falls, mean return {summary["mean_return"]:.1f}{told(summary)}'
            )
        return not reasons

    @property
    def _name(self) -> str:
        return self._node.get_fully_qualified_name().lstrip('/')

    def _status_line(self, state: str, window: TimingReport) -> str:
        progress, falls, swaps = self._loop.progress, self._loop.statistics.falls, self._controller.swaps
        robot = self._loop.robot
        recent = told(robot.figures(RECENT_S)) if isinstance(robot, TaskRobot) else ''
        return (
            f'{progress.time - progress.held:7.1f} s  {state}{f", falls: {falls}" if falls else ""}'
            f'{f", policy swaps: {swaps}" if swaps else ""} '
            f'| return {progress.episode_return:.1f}{recent} | commands {window.rate_hz:.1f} Hz '
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


def task_figures(robot: TaskRobot, summary: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the figures of a task's robot for the summary, without those that the summary already has.

    ``last_minute`` holds all figures of the last minute.
    """
    figures = {name: value for name, value in robot.figures().items() if name not in summary}
    return {'task': robot.task.name, **figures, 'last_minute': robot.figures(MINUTE_S)}


def told(figures: Mapping[str, Any]) -> str:
    """Return the main figures of a task as text for the status line; ``''`` if there are none."""
    return ''.join(f' | {name} {figures[name]:.2f}' for name in _TOLD if figures.get(name) is not None)
