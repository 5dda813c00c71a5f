"""Receives the messages of a robot's topics for some seconds, as a recording. Nothing is published."""

import time
from collections.abc import Callable, Iterable, Iterator

import rclpy
import rclpy.utilities
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy
from rclpy.signals import SignalHandlerOptions

from velora_ros.errors import ConfigError
from velora_ros.nodes.record.topic_choice import choose_topics
from velora_ros.nodes.ros.endpoints import full_topic_name
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.raw_topic import RawTopic, make_inlet
from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.messages import Channel, RawMessage

WAIT_S = 0.01
LATCHED = QoSDurabilityPolicy.TRANSIENT_LOCAL


class Listener:
    """
    Subscribes to all topics that describe a robot, and to the topics that are named.

    Args:
        namespace: the robot's namespace; ``''`` is the root.
        named: the topics that the policy reads, and the topic of its commands.

    Raises:
        ConfigError: the namespace or a name is not valid.
    """

    def __init__(self, namespace: str, named: Iterable[str]) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            self._node = Node('doctor', namespace=namespace or None, enable_rosout=False)
        except NameValidationException as error:
            raise ConfigError(
                f"'{namespace}' is not a valid namespace; it must consist of letters, digits and underscores, joined "
                'by slashes, and no part may begin with a digit.'
            ) from error
        self._named = [full_topic_name(self._node, name) for name in named]
        self._inlet = make_inlet(self._node)
        self._topics: dict[str, RawTopic] = {}
        self._channels: dict[str, Channel] = {}
        self.publishers: dict[str, int] = {}
        """Number of publishers of each topic."""

    def collect(self, seconds: float) -> Recording:
        """Wait up to ``seconds`` for the first message, listen for ``seconds`` more, and return all messages."""
        messages: list[RawMessage] = []
        began = time.monotonic()
        for one in self.until(lambda: time.monotonic() > began + seconds):
            messages.append(one)
            if len(messages) == 1:
                break
        began = time.monotonic()
        messages += self.until(lambda: time.monotonic() > began + seconds)
        return Recording(dict(self._channels), messages, complete=True)

    def until(self, done: Callable[[], bool]) -> Iterator[RawMessage]:
        """Yield messages as they arrive, until ``done()`` is true."""
        look = 0.0
        while not done():
            if time.monotonic() > look:
                self._look()
                look = time.monotonic() + 0.25
            for topic in self._topics.values():
                yield from topic.take()
            time.sleep(WAIT_S)

    def close(self) -> None:
        """Destroy the nodes and shut ROS down."""
        for node in (self._inlet, self._node):
            node.destroy_node()
        rclpy.utilities.try_shutdown()

    def _look(self) -> None:
        graph = dict(self._node.get_topic_names_and_types())
        for topic, kind in choose_topics(graph, (), named=self._named, hidden=False).items():
            self.publishers[topic] = self._node.count_publishers(topic)
            if topic not in self._topics and self.publishers[topic]:
                try:
                    message = interface_class(kind)
                except (ImportError, AttributeError, ValueError):
                    continue  # the type is not installed, which the check of types reports
                self._channels[topic] = Channel(topic, kind, '')
                ends = self._node.get_publishers_info_by_topic(topic)
                latched = bool(ends) and all(end.qos_profile.durability == LATCHED for end in ends)
                self._topics[topic] = RawTopic(self._inlet, topic, message, latched=latched)
