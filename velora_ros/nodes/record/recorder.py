"""
The node that records: it finds topics, subscribes to them, and queues their messages for the thread that writes.

It must not slow the robot down. Therefore, subscriptions are best effort and take serialised messages, the queue is
bounded, and messages that arrive while it is full are dropped and counted. Transient-local topics, whose newest message
is kept for late subscribers, are the exception: they rarely have messages, so their subscriptions are reliable.

The subscriptions belong to a second node, which no executor spins: a timer takes the messages that have arrived. The
middleware records when a message was received, so the times do not depend on the timer.
"""

import json
import time
from pathlib import Path

from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message

from velora_ros.nodes.record.message_definitions import message_definition
from velora_ros.nodes.record.topic_choice import HIDDEN, choose_topics
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import full_topic_name
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.raw_topic import RawTopic, make_inlet
from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.message_queue import MessageQueue
from velora_ros.recordings.messages import END_NOTE, POLICY_NOTE, Channel, Note
from velora_ros.recordings.options import RecordOptions, default_file_name
from velora_ros.recordings.writer_thread import WriterThread
from velora_ros.utils.output import write_line

TAKE_S = 0.01  # time between two checks for messages
LOOK_S = 0.25  # time between two checks of the graph
_DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'


class Recorder(Node):
    """
    Records until its process is asked to end, or until the time in the options is over.

    Args:
        options: what to record.

    Raises:
        ConfigError: the file already exists, or a topic's name is not valid.
        StorageError: the file cannot be written.
    """

    def __init__(self, options: RecordOptions) -> None:
        super().__init__('recorder')
        self._inlet = make_inlet(self)  # first, because destroy_node() needs it even if the file is refused
        self.exit_code: int | None = None
        self._options = options
        self._named = [full_topic_name(self, name) for name in options.topics]
        self._path = Path(options.file or default_file_name())
        self._queue = MessageQueue()
        self._writer = WriterThread(self._queue, RecordingFile(self._path))
        self._inputs: dict[str, RawTopic] = {}
        self._diagnostics: set[str] = set()
        self._refused: set[str] = set()
        self._said = 0
        self._policies: dict[str, str] = {}  # the digest that each controller runs
        self._began = time.monotonic()
        self._closed = False
        self.create_timer(TAKE_S, self._take, clock=STEADY)
        self.create_timer(LOOK_S, self._look, clock=STEADY)
        self.create_timer(1.0, self._check, clock=STEADY)
        self._look()
        self.get_logger().info(f'recording in {self._path}')

    def close(self) -> None:
        """Write the queued messages, close the file, and print a summary."""
        if self._closed:
            return
        self._closed = True
        self._take()
        self._queue.put(Note(END_NOTE, {name: json.dumps(value) for name, value in self._losses().items()}))
        self._writer.join()
        self._say_why_writing_failed()
        summary = {
            'event': 'record_summary',
            'file': str(self._path),
            'seconds': round(time.monotonic() - self._began, 3),
            'topics': len(self._inputs),
            'messages': self._writer.written,
            **self._losses(),
            'policies': self._policies,
        }
        write_line(json.dumps(summary))

    def destroy_node(self) -> None:
        """Destroy this node and the node of the subscriptions."""
        self._inlet.destroy_node()
        super().destroy_node()  # type: ignore[no-untyped-call]

    # --- what is recorded ------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Subscribe to topics that are new in the graph."""
        graph = dict(self.get_topic_names_and_types())
        wanted = choose_topics(
            graph,
            self._topics_of_controllers(graph),
            named=self._named,
            everything=self._options.everything,
            hidden=self._options.hidden,
        )
        for topic, kind in wanted.items():
            if topic not in self._inputs and topic not in self._refused:
                self._subscribe(topic, kind)

    def _topics_of_controllers(self, graph: dict[str, list[str]]) -> set[str]:
        found: set[str] = set()
        for topic in graph:
            if topic.endswith(HIDDEN):
                for end in self.get_publishers_info_by_topic(topic):
                    found |= self._topics_of(end.node_name, end.node_namespace)
        return found

    def _topics_of(self, name: str, namespace: str) -> set[str]:
        try:
            pairs = [
                *self.get_publisher_names_and_types_by_node(name, namespace),
                *self.get_subscriber_names_and_types_by_node(name, namespace),
            ]
        except Exception:  # the node has ended or is not known yet; rclpy raises a class of its own
            return set()
        return {topic for topic, _ in pairs}

    def _subscribe(self, topic: str, kind: str) -> None:
        publishers = self.get_publishers_info_by_topic(topic)
        if not publishers:
            return
        try:
            definition, message = message_definition(kind), interface_class(kind)
        except (ImportError, AttributeError, ValueError):
            self._refused.add(topic)
            self.get_logger().warning(
                f"'{topic}' is not recorded, because its type {kind} is not installed; install and source its package"
            )
            return
        self._queue.put(Channel(topic, kind, definition, qos_in_yaml([end.qos_profile for end in publishers])))
        latched = all(end.qos_profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for end in publishers)
        self._inputs[topic] = RawTopic(self._inlet, topic, message, latched=latched)
        if kind == _DIAGNOSTICS:
            self._diagnostics.add(topic)

    def _take(self) -> None:
        """Queue all messages that have arrived."""
        for one in self._inputs.values():
            for message in one.take():
                self._queue.put(message)
                if message.topic in self._diagnostics:
                    self._note_policies(message.data, message.received)

    def _note_policies(self, data: bytes, received: int) -> None:
        """Queue a note for each controller whose policy has changed, as its diagnostics show."""
        for status in deserialize_message(data, interface_class(_DIAGNOSTICS)).status:
            values = {pair.key: pair.value for pair in status.values}
            controller = status.name.partition(':')[0]
            if (digest := values.get('digest')) and self._policies.get(controller) != digest:
                self._policies[controller] = digest
                about = {'controller': controller, 'policy': values.get('policy', ''), 'digest': digest}
                self._queue.put(Note(POLICY_NOTE, {**about, 'received': str(received)}))

    # --- what is lost ----------------------------------------------------------------------------------------------

    def _losses(self) -> dict[str, dict[str, int]]:
        """Return the number of messages that were dropped because the queue was full, and that were lost, by topic."""
        lost = {topic: one.lost for topic, one in self._inputs.items() if one.lost}
        return {'dropped': dict(self._queue.dropped), 'lost': lost}

    def _check(self) -> None:
        """Once a second, log dropped messages; end if the file can no longer be written or the time is over."""
        dropped = sum(self._queue.dropped.values())
        if dropped > self._said:
            self.get_logger().warning(
                f'{dropped - self._said} messages were dropped, because the disk is too slow; record fewer topics'
            )
            self._said = dropped
        if self._writer.error is not None:
            self.exit_code = 1
        elif self._options.seconds and time.monotonic() - self._began >= self._options.seconds:
            self.exit_code = 0

    def _say_why_writing_failed(self) -> None:
        if (error := self._writer.error) is not None:
            self.exit_code = 1
            self.get_logger().error(
                f"'{self._path}' could not be completed ({error.strerror or error}); 'velora_ros replay "
                f"{self._path} --out FILE' recovers its content"
            )


def qos_in_yaml(profiles: list[QoSProfile]) -> str:
    """Return the QoS profiles of a topic's publishers as YAML, in the format in which ``ros2 bag`` reads them."""
    lines = []
    for one in profiles:
        lines.append(f'- history: {int(one.history)}\n  depth: {one.depth}\n  reliability: {int(one.reliability)}\n')
        lines.append(f'  durability: {int(one.durability)}\n  liveliness: {int(one.liveliness)}\n')
        for name in ('deadline', 'lifespan', 'liveliness_lease_duration'):
            seconds, nanoseconds = divmod(getattr(one, name).nanoseconds, 10**9)
            lines.append(f'  {name}:\n    sec: {seconds}\n    nsec: {nanoseconds}\n')
        lines.append(f'  avoid_ros_namespace_conventions: {str(one.avoid_ros_namespace_conventions).lower()}\n')
    return ''.join(lines)
