"""The clock of sim_node: who of several simulators publishes ``/clock``, and by what a state is stamped."""

import time
from typing import Any

from rclpy.node import Node

from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.sim.parameters import OWNER

NANOSECONDS = 1e9
TOPIC = '/clock'
WARNING_PERIOD_S = 10.0


class SimClock:
    """
    The simulated time that several nodes share.

    One simulator publishes it. Another one that lives by it stamps its states with it, and goes on with it when the
    first is gone: its own robot must not end because the first robot's run is over.

    Args:
        node: sim_node.
        publish: whether this one publishes it from the start.
        may_begin: whether it may be the first to publish it later, when it is told to live by a clock while it runs.
    """

    def __init__(self, node: Node, *, publish: bool, may_begin: bool) -> None:
        self._node = node
        self._may_begin = may_begin
        self._publisher = create_publisher(node, OWNER, TOPIC) if publish else None
        self._ros_clock: Any = node.get_clock()
        self._epoch = 0
        self._newest, self._newest_at, self._waited = 0, 0.0, 0

    @property
    def published(self) -> bool:
        """Whether this node publishes it."""
        return self._publisher is not None

    @property
    def followed(self) -> bool:
        """Whether this node lives by the clock of another one."""
        return not self.published and bool(self._ros_clock.ros_time_is_active)

    def begin(self, epoch: int) -> None:
        """Let the simulated time of zero be this moment [ns]; nothing that is followed changes."""
        self._epoch = epoch

    def stamp(self, simulated: float) -> int:
        """Return the time on the shared clock [ns]; ``simulated`` is the robot's own [s]."""
        if self.published:
            return self._epoch + round(simulated * NANOSECONDS)
        return int(self._ros_clock.now().nanoseconds)

    def tick(self, simulated: float) -> None:
        """Publish the time, if this node does."""
        if self._publisher is not None:
            self._publisher.publish(conversions.to_clock(self.stamp(simulated)))

    def give_up(self) -> None:
        """Publish no more, so that another simulator may go on."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None

    def look(self, simulated: float) -> None:
        """Go on with a clock that stands still because nobody publishes it any more; once a control period."""
        if not self.followed:
            return
        newest, now = int(self._ros_clock.now().nanoseconds), time.monotonic()
        if newest != self._newest:
            self._newest, self._newest_at, self._waited = newest, now, 0
        elif (newest or self._may_begin) and not self._node.count_publishers(TOPIC):
            self._waited += 1
            if self._waited > self._rank():
                self._publisher = create_publisher(self._node, OWNER, TOPIC)
                if newest:
                    self._epoch = newest + round((now - self._newest_at - simulated) * NANOSECONDS)
                self._node.get_logger().info('/clock has no publisher; this simulator publishes it from now on')

    def warn_of_others(self) -> None:
        """Warn where somebody else publishes another time; once a second."""
        if self.published and self._node.count_publishers(TOPIC) > 1:
            self._node.get_logger().warning(
                '/clock has several publishers, so that time jumps; set publish_clock: false at all simulators but one',
                throttle_duration_sec=WARNING_PERIOD_S,
            )

    def _rank(self) -> int:
        """Return how many simulators are asked before this one, so that two do not take the clock at once."""
        others = self._node.get_node_names_and_namespaces()
        names = sorted(f'{namespace.rstrip("/")}/{name}' for name, namespace in others if name == self._node.get_name())
        own = self._node.get_fully_qualified_name()
        return names.index(own) if own in names else 0
