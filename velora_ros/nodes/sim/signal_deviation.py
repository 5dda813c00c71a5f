"""The unit of the simulated noise: found when noise is first asked for, aside from the robot that runs."""

import threading
from collections.abc import Callable

from rclpy.node import Node

from velora_ros.gym.disturbances.stack import DisturbanceStack
from velora_ros.gym.simulated_robot import Array
from velora_ros.nodes.ros.timers import Timers

LOOK_EVERY_S = 0.05


class NoiseUnit:
    """
    Gives the faults the standard deviation of each signal as soon as their settings need it.

    It takes up to seconds of random commands in a second simulation, which a start without noise need not wait for, and
    a running robot must not: there it is found in a thread, and the noise begins when it is known.

    Args:
        node: sim_node.
        faults: what needs it.
        find: finds it, shape (observation,).
    """

    def __init__(self, node: Node, faults: DisturbanceStack, find: Callable[[], Array]) -> None:
        self._node, self._faults, self._find = node, faults, find
        self._timers = Timers(node)
        self._thread: threading.Thread | None = None
        self._found: Array | Exception | None = None

    @property
    def _needed(self) -> bool:
        return self._faults.settings.needs_deviation and self._faults.deviation is None

    def find_now(self) -> None:
        """Find it if it is needed, and wait for it: before the robot runs."""
        if self._needed:
            self._faults.deviation = self._find()

    def find_aside(self) -> None:
        """Find it if it is needed, while the robot runs."""
        if self._needed and self._thread is None:
            self._node.get_logger().info('faults.noise begins as soon as the spread of the signals is known')
            self._thread = threading.Thread(target=self._work, name='noise', daemon=True)
            self._thread.start()
            self._timers.set(self._look, LOOK_EVERY_S)

    def _work(self) -> None:
        try:
            self._found = self._find()
        except Exception as error:
            self._found = error

    def _look(self) -> None:
        found = self._found
        if found is None:
            return
        self._timers.set(self._look, 0.0)
        self._thread = self._found = None
        if isinstance(found, Exception):
            self._node.get_logger().error(
                f'faults.noise has no effect: the spread of the signals could not be found: {found!r}.'
            )
        else:
            self._faults.deviation = found
