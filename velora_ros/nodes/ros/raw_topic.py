"""
A subscription that takes messages as bytes, with the middleware's time stamps and without an executor.

It is for processes that only listen: it belongs to a second node, which no executor spins, and the process takes the
messages at any time.
"""

import time
from collections.abc import Iterator
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy

from velora_ros.nodes.ros.rclpy_compat import info_taker
from velora_ros.recordings.messages import RawMessage

DEPTH = 1000  # messages that can wait while this process is busy


def make_inlet(node: Node) -> Node:
    """Return a second node of the process, for subscriptions that no executor handles."""
    return Node(
        f'_{node.get_name()}_inlet',
        context=node.context,
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
    )


class RawTopic:
    """
    A topic whose messages are taken as bytes.

    The subscription is best effort, so that no publisher waits for it, unless the topic is latched.

    Args:
        inlet: a node that no executor spins.
        topic: the topic's full name.
        message: the class of its messages.
        latched: whether its publishers are transient local; only a reliable subscription gets their earlier messages.
    """

    def __init__(self, inlet: Node, topic: str, message: Any, *, latched: bool = False) -> None:
        self.lost = 0
        """Number of published messages that did not arrive: the gaps in the sequence numbers of a single publisher."""
        self._topic, self._inlet = topic, inlet
        self._subscription = inlet.create_subscription(message, topic, _ignore, _profile(latched=latched), raw=True)
        self._take_next = info_taker(self._subscription)
        self._number = 0

    def take(self) -> Iterator[RawMessage]:
        """Yield the messages that arrived since the last call."""
        while (found := self._take_next()) is not None:
            data, info = found
            received = info['received_timestamp'] or time.time_ns()
            yield RawMessage(self._topic, received, info['source_timestamp'] or received, data)
            self._count_lost(info['publication_sequence_number'] or 0)

    def _count_lost(self, number: int) -> None:
        if 0 < self._number < number - 1 and self._subscription.get_publisher_count() == 1:
            self.lost += number - self._number - 1
        self._number = number


def _profile(*, latched: bool) -> QoSProfile:
    if latched:
        return QoSProfile(
            depth=DEPTH,
            reliability=QoSReliabilityPolicy.RELIABLE,
            durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
        )
    return QoSProfile(depth=DEPTH, reliability=QoSReliabilityPolicy.BEST_EFFORT)


def _ignore(message: bytes) -> None:
    """Placeholder for the required callback; it is never called."""
