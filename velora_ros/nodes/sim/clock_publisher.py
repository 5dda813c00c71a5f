"""Publishes ``/clock``, decides which of several simulators publishes it, and gives the stamps of states."""

import time
from typing import Any

from rclpy.node import Node

from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.sim.parameters import OWNER

NANOSECONDS = 1e9
TOPIC = '/clock'
WARNING_PERIOD_S = 10.0


class ClockPublisher:
    """
    The simulated time that several nodes share.

    One simulator publishes the clock. Another simulator that uses simulated time stamps its states with this clock.
    When the first simulator ends, the other one continues to publish the clock from the same time, so that its own
    robot keeps running.

    Args:
        node: sim_node.
        publish: whether this node publishes the clock from the start.
        may_take_over: whether this node may start to publish the clock if no simulator has published it yet.
    """

    def __init__(self, node: Node, *, publish: bool, may_take_over: bool) -> None:
        self._node = node
        self._may_take_over = may_take_over
        self._publisher = create_publisher(node, OWNER, TOPIC) if publish else None
        self._ros_clock: Any = node.get_clock()
        self._epoch = 0
        self._newest, self._newest_at, self._waited = 0, 0.0, 0

    @property
    def is_publishing(self) -> bool:
        """Whether this node publishes the clock."""
        return self._publisher is not None

    @property
    def is_following(self) -> bool:
        """Whether this node uses a clock that another node publishes."""
        return not self.is_publishing and bool(self._ros_clock.ros_time_is_active)

    def start(self, epoch: int) -> None:
        """Set the time of the clock [ns] at simulated time 0; it has no effect while another node's clock is used."""
        self._epoch = epoch

    def stamp(self, simulated: float) -> int:
        """Return the time of the shared clock [ns] at ``simulated``, the robot's own simulated time [s]."""
        if self.is_publishing:
            return self._epoch + round(simulated * NANOSECONDS)
        return int(self._ros_clock.now().nanoseconds)

    def publish(self, simulated: float) -> None:
        """Publish the clock's time at ``simulated`` [s], if this node publishes the clock."""
        if self._publisher is not None:
            self._publisher.publish(conversions.to_clock(self.stamp(simulated)))

    def stop(self) -> None:
        """Stop publishing, so that another simulator can take over."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None

    def take_over_if_unpublished(self, simulated: float) -> None:
        """Start to publish the clock if it has stopped and has no publisher; call this once per control period."""
        if not self.is_following:
            return
        newest, now = int(self._ros_clock.now().nanoseconds), time.monotonic()
        if newest != self._newest:
            self._newest, self._newest_at, self._waited = newest, now, 0
        elif (newest or self._may_take_over) and not self._node.count_publishers(TOPIC):
            self._waited += 1
            if self._waited > self._rank():
                self._publisher = create_publisher(self._node, OWNER, TOPIC)
                if newest:
                    self._epoch = newest + round((now - self._newest_at - simulated) * NANOSECONDS)
                self._node.get_logger().info('/clock has no publisher; this simulator publishes it from now on')

    def warn_of_other_publishers(self) -> None:
        """Warn if another node publishes the clock too; call this once a second."""
        if self.is_publishing and self._node.count_publishers(TOPIC) > 1:
            self._node.get_logger().warning(
                '/clock has several publishers, so time jumps; set publish_clock to false in all simulators but one',
                throttle_duration_sec=WARNING_PERIOD_S,
            )

    def _rank(self) -> int:
        """Return how many simulators take over before this one does, so that two never take over at once."""
        others = self._node.get_node_names_and_namespaces()
        names = sorted(f'{namespace.rstrip("/")}/{name}' for name, namespace in others if name == self._node.get_name())
        own = self._node.get_fully_qualified_name()
        return names.index(own) if own in names else 0
