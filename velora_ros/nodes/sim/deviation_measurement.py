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
    Measures the standard deviation of each signal when ``faults.noise`` needs it.

    The measurement runs random commands in a second simulation and takes up to a few seconds. It is skipped at a start
    without noise. While the robot runs, it runs in a thread, and the noise begins when the result is available.

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
        """Measure the deviation if it is needed, and wait for the result; call this before the robot runs."""
        if self._needed:
            self._faults.deviation = measure_deviation(self._values)

    def measure_in_background(self) -> None:
        """Measure the deviation in a thread if it is needed; call this while the robot runs."""
        if self._needed and self._thread is None:
            self._node.get_logger().info(
                'faults.noise begins when the standard deviation of the signals has been measured'
            )
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
                'faults.noise has no effect, because the standard deviation of the signals could not be measured: '
                f'{result!r}.'
            )
        else:
            self._faults.deviation = result
