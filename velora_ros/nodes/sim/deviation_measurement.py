"""Measures the unit of ``faults.noise``, the standard deviation of each signal, while the robot keeps running."""

import threading

from rclpy.node import Node

from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.timers import Timers
from velora_ros.nodes.sim.make_robot import measure_deviation
from velora_ros.nodes.sim.robot_protocol import Array

POLL_S = 0.05


class DeviationMeasurement:
    """
    Gives the faults the standard deviation of each signal as soon as their settings need it.

    The measurement runs random commands in a second simulation, for up to some seconds. A start without noise does not
    wait for it. While the robot runs it happens in a thread, and the noise begins when the result is available.

    Args:
        node: sim_node.
        faults: the robot's faults.
        values: the node's parameters.
    """

    def __init__(self, node: Node, faults: DisturbanceStack, values: Values) -> None:
        self._node, self._faults, self._values = node, faults, values
        self._timers = Timers(node)
        self._thread: threading.Thread | None = None
        self._result: Array | Exception | None = None

    @property
    def _needed(self) -> bool:
        return self._faults.settings.needs_deviation and self._faults.deviation is None

    def measure(self) -> None:
        """Measure the deviation now if it is needed, before the robot runs."""
        if self._needed:
            self._faults.deviation = measure_deviation(self._values)

    def measure_in_background(self) -> None:
        """Measure it in a thread if it is needed, while the robot runs."""
        if self._needed and self._thread is None:
            self._node.get_logger().info('faults.noise begins when the standard deviation of the signals is measured')
            self._thread = threading.Thread(target=self._run_thread, name='signal deviation', daemon=True)
            self._thread.start()
            self._timers.set(self._poll, POLL_S)

    def _run_thread(self) -> None:
        try:
            self._result = measure_deviation(self._values)
        except Exception as error:
            self._result = error

    def _poll(self) -> None:
        result = self._result
        if result is None:
            return
        self._timers.set(self._poll, 0.0)
        self._thread = self._result = None
        if isinstance(result, Exception):
            self._node.get_logger().error(
                f'faults.noise has no effect: measuring the standard deviation of the signals failed: {result!r}.'
            )
        else:
            self._faults.deviation = result
