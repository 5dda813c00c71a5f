"""The loop of a configured policy_node: its topics, its timers and the way from a message to a command."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import qos_policy_name_from_kind
from rclpy.timer import Timer

from velora_ros.control import Controller, Settings, Status
from velora_ros.control.controller import Array
from velora_ros.control.observation import JointObservation, check_vector, joint_fields, reads_joints
from velora_ros.control.timing import LoopTiming
from velora_ros.errors import ObservationError
from velora_ros.nodes import conversions, interfaces
from velora_ros.nodes.parameters import refuse_unused_qos
from velora_ros.nodes.policy_node_report import Report
from velora_ros.nodes.spin import STEADY
from velora_ros.policy import Policy

OWNER = 'policy_node'
INACTIVE = Status('ok', 'inactive', '')
ACKNOWLEDGE_S = 0.5
# Checks of the watchdog within its timeout: it fires at most a fifth too late.
WATCHDOG_CHECKS = 5


class PolicyLoop:
    """
    Everything that exists while policy_node is configured.

    Args:
        node: where topics and timers live.
        policy: the policy, warmed up.
        settings: the user's limits.
        fields: the parameter ``observation.fields``.
        report: where status and diagnostics go.
        fault: a fault latched before.

    Raises:
        ConfigError: settings, fields or a quality of service do not fit; nothing is left behind.
    """

    def __init__(
        self, node: Node, policy: Policy, *, settings: Settings, fields: list[str], report: Report, fault: str
    ) -> None:
        self.controller = Controller(policy, settings, fault)
        self.policy = policy
        self._node = node
        self._report = report
        self._names = policy.spec.observation_names
        self._joints: JointObservation | None = None
        if fields or reads_joints(self._names):
            self._joints = JointObservation(joint_fields(self._names, fields), self.controller.safety.max_state_age)
        self._active = False
        self._debug = False
        self._timing = LoopTiming()
        self._undo: list[Callable[[], Any]] = []
        self._watchdog: Timer | None = None
        try:
            self._create_topics()
            refuse_unused_qos(node)
        except Exception:
            self.destroy()
            raise

    def start(self, *, arm: bool) -> None:
        """Begin to take states in; command them too if ``arm``."""
        if self._joints is not None:
            self._joints.forget()
        self.controller.activate(arm=arm)
        self._active = True
        self._watch()
        self._report.status(self.status)

    def stop(self) -> None:
        """Send the fallback if the robot was commanded, wait until it arrived, and fall silent."""
        if self.send(self.controller.disarm()):
            self._command.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self._active = False
        self._watch()
        self._report.status(self.status)

    def destroy(self) -> None:
        """Take topics and timers away."""
        while self._undo:
            self._undo.pop()()

    @property
    def active(self) -> bool:
        """Whether states are taken in."""
        return self._active

    @property
    def status(self) -> Status:
        """State and reason, for people."""
        return self.controller.status if self._active or self.controller.fault else INACTIVE

    def apply(self, settings: Settings) -> None:
        """Change the limits as one unit."""
        self.controller.settings = settings
        if self._joints is not None:
            self._joints.max_age = self.controller.safety.max_state_age
        self._watch()

    def swap(self, policy: Policy) -> None:
        """Continue with another policy of the same specification."""
        self.controller.swap(policy)
        self.policy = policy

    def forget(self, cause: str) -> None:
        """Forget the hidden state and the joints' values."""
        if self._joints is not None:
            self._joints.forget()
        self.controller.reset(cause)

    def send(self, command: Array | None) -> bool:
        """Publish a command if there is one, and report what the controller says now."""
        if command is not None:
            self._command.publish(conversions.fill_vector(self._message, command))
        self._report.status(self.status)
        return command is not None

    def diagnose(self, path: str) -> None:
        """Publish the diagnostics of the time since the last call; look whether anybody listens to debug topics."""
        self._debug = any(publisher.get_subscription_count() for publisher in self._debug_publishers)
        self._report.diagnostics(self.status, self.controller, self.policy, path, self._timing.report())

    def _create_topics(self) -> None:
        self._command = self._publisher('command')
        self._message = self._command.msg_type()
        self._debug_publishers = [
            self._publisher(f'~/debug/{what}') for what in ('observation', 'hidden', 'raw_action')
        ]
        self._subscribe('reset', lambda _: self.forget('request'))
        self._subscribe('emergency_stop', self._on_emergency_stop)
        if self._joints is not None:
            self._subscribe('joint_states', self._on_joint_state)
        else:
            self._subscribe('observation', self._on_vector)

    def _publisher(self, name: str) -> Any:
        events = PublisherEventCallbacks(incompatible_qos=self._incompatible(name, 'subscriber', 'publisher'))
        publisher = interfaces.create_publisher(self._node, OWNER, name, events=events)
        self._undo.append(lambda: self._node.destroy_publisher(publisher))
        return publisher

    def _subscribe(self, name: str, callback: Callable[[Any], None]) -> None:
        events = SubscriptionEventCallbacks(incompatible_qos=self._incompatible(name, 'publisher', 'subscription'))
        subscription = interfaces.create_subscription(self._node, OWNER, name, callback, events=events)
        self._undo.append(lambda: self._node.destroy_subscription(subscription))

    def _incompatible(self, name: str, peer: str, entity: str) -> Callable[[Any], None]:
        topic = self._node.resolve_topic_name(name)

        def report(event: Any) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
            self._report.incompatible = (
                f"a {peer} of '{topic}' has an incompatible {policy}, so nothing passes between it and this node; "
                f'set qos_overrides.{topic}.{entity}.{policy}'
            )
            self._node.get_logger().warning(self._report.incompatible)

        return report

    def _on_joint_state(self, message: Any) -> None:
        received = time.monotonic()
        if not self._active or self._joints is None:
            return
        now = self._node.get_clock().now().nanoseconds
        stamp = conversions.to_nanoseconds(message.header.stamp) or now
        try:
            if not self._joints.update(*conversions.from_joint_state(message), stamp):
                return
            observation = self._joints.read(stamp)
        except ObservationError as error:
            self._reject(error)
        else:
            self._tick(observation, stamp, now, received)

    def _on_vector(self, message: Any) -> None:
        received = time.monotonic()
        if not self._active:
            return
        now = self._node.get_clock().now().nanoseconds  # the message has no stamp
        try:
            observation = check_vector(conversions.from_vector(message), self._names)
        except ObservationError as error:
            self._reject(error)
        else:
            self._tick(observation, now, now, received)

    def _tick(self, observation: Array, stamp: int, now: int, received: float) -> None:
        if self.send(self.controller.tick(observation, stamp, now, received)):
            self._timing.add(received, time.monotonic(), (now - stamp) * 1e-9)
        if self._debug and self.controller.raw_action is not None:
            values = (observation, self.policy.hidden, self.controller.raw_action)
            for publisher, value in zip(self._debug_publishers, values, strict=True):
                publisher.publish(conversions.to_vector(value))

    def _reject(self, error: ObservationError) -> None:
        self.controller.reject('incomplete', str(error))
        self._report.status(self.status)

    def _on_emergency_stop(self, message: Any) -> None:
        if message.data:
            self.send(self.controller.emergency_stop())

    def _on_watchdog(self) -> None:
        self.send(self.controller.watchdog(time.monotonic()))

    def _watch(self) -> None:
        """Check for silence often enough; not at all while inactive or switched off."""
        if self._watchdog is not None:
            self._node.destroy_timer(self._watchdog)
            self._watchdog = None
        timeout = self.controller.safety.watchdog_timeout
        if self._active and timeout != float('inf'):
            period = timeout / WATCHDOG_CHECKS
            self._watchdog = self._node.create_timer(period, self._on_watchdog, clock=STEADY)
