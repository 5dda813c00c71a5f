"""Carries out the requests from the page, by publishing messages and calling services."""

import html
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node

from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.rclpy_compat import PublisherEventCallbacks
from velora_ros.nodes.view.parameters import OWNER, Ranges
from velora_ros.nodes.view.requests_from_page import (
    BUTTONS,
    POINT,
    POSE,
    TWIST,
    TWIST_STAMPED,
    Button,
    Drive,
    Goal,
    LetGo,
    Press,
    Request,
    to_goal,
    to_velocity,
    within,
)

VELOCITY, PLACE, STOP = 'cmd_vel', 'goal_pose', 'emergency_stop'
_TYPES = {VELOCITY: (TWIST, TWIST_STAMPED), PLACE: (POSE, POINT)}
BASE_FRAME = 'base_link'
STILL, ZEROS = Drive(0.0, 0.0, 0.0), 5
"""Zero is published several times, because the last message is lost when its publisher is destroyed."""
ARRIVES = Duration(seconds=0.2)
"""Longest wait for reliable subscribers to acknowledge the last velocity when the node ends."""


class RequestSender:
    """
    Publishes messages and calls services on request of the page.

    Velocities are repeated until "Let go" is pressed, because a robot treats an old velocity as zero. Goals are
    repeated for new subscribers. The publishers are created at the first request; until then, the node is not a
    publisher of these topics.

    Args:
        node: view_node.
        values: the node's parameters.
        ranges: lowest and highest speed of each slider [m/s, m/s, rad/s].
        answer: shows the response to a request, given as HTML.
    """

    def __init__(self, node: Node, values: Values, ranges: Ranges, answer: Callable[[str], None]) -> None:
        self._node, self._ranges, self._answer = node, ranges, answer
        self.goal_frame = values['goal_frame_id'] or BASE_FRAME
        """The frame of the goals that are published."""
        # A volatile publisher does not match a transient-local subscription; policy_node has both kinds.
        unreported = PublisherEventCallbacks(incompatible_qos=lambda event: None)
        self._stop = create_publisher(node, OWNER, STOP, events=unreported)
        self._clients = {
            (one.node, one.service): node.create_client(interface_class(one.type), f'{values[one.node]}/{one.service}')
            for one in {(one.node, one.service): one for one in BUTTONS}.values()
        }
        self._publishers: dict[str, tuple[str, Any]] = {}
        self._drive: Drive | None = None
        self._goal: Goal | None = None
        self._zeros = 0

    @property
    def is_driving(self) -> bool:
        """Whether velocities are published."""
        return self._drive is not None

    @property
    def is_guiding(self) -> bool:
        """Whether goals are published."""
        return self._goal is not None

    def available(self) -> list[Button]:
        """Return the buttons whose services exist."""
        return [button for button in BUTTONS if self._client(button).service_is_ready()]

    def type_for(self, topic: str) -> str:
        """Return the type with which another node subscribes to ``cmd_vel`` or ``goal_pose``; '' if no node does."""
        ends = self._node.get_subscriptions_info_by_topic(self._node.resolve_topic_name(topic))
        own = (self._node.get_name(), self._node.get_namespace())
        taken = {end.topic_type for end in ends if (end.node_name, end.node_namespace) != own}
        return next((kind for kind in _TYPES[topic] if kind in taken), '')

    def carry_out(self, request: Request) -> None:
        """Publish the message or call the service that a request from the page needs."""
        if isinstance(request, Press):
            self._call(request.button)
        elif isinstance(request, Drive):
            self._drive, self._zeros = within(request, self._ranges) or self._drive, 0
            self.repeat_velocity()
        elif isinstance(request, Goal):
            self._goal = request
            self.repeat_goal()
        elif isinstance(request, LetGo):
            self.let_go()
        else:
            self._stop_robot()

    def repeat_velocity(self) -> None:
        """Publish the velocity again, or zero after "Let go" was pressed; call this ten times a second."""
        if self._drive is not None:
            self._publish_velocity(self._drive)
        elif self._zeros:
            self._zeros -= 1
            self._publish_velocity(STILL)
            if not self._zeros:
                self._destroy(VELOCITY)

    def repeat_goal(self) -> None:
        """Publish the goal again; call this twice a second."""
        if self._goal is not None and (publisher := self._publisher(PLACE)) is not None:
            kind, channel = publisher
            channel.publish(to_goal(self._goal, kind, self._now(), self.goal_frame))

    def let_go(self) -> None:
        """Stop publishing goals and velocities; zero velocity follows for half a second if one was published before."""
        if self._drive is not None:
            self._drive, self._zeros = None, ZEROS
            self.repeat_velocity()
        self._goal = None
        self._destroy(PLACE)

    def close(self) -> None:
        """Stop publishing, and wait for up to :data:`ARRIVES` until the zero velocity has arrived."""
        self.let_go()
        if VELOCITY in self._publishers:
            self._publishers[VELOCITY][1].wait_for_all_acked(ARRIVES)

    # --- publishers and services ------------------------------------------------------------------------------------

    def _publisher(self, topic: str) -> tuple[str, Any] | None:
        """Return the subscribed type of a topic and its publisher; None if the topic has no subscriber."""
        kind = self.type_for(topic) or (self._publishers[topic][0] if topic in self._publishers else '')
        if not kind:
            return None
        if topic in self._publishers and self._publishers[topic][0] != kind:
            self._destroy(topic)
        if topic not in self._publishers:
            self._publishers[topic] = kind, create_publisher(self._node, OWNER, topic, kind=kind)
        return self._publishers[topic]

    def _publish_velocity(self, speeds: Drive) -> None:
        if (publisher := self._publisher(VELOCITY)) is not None:
            kind, channel = publisher
            channel.publish(to_velocity(speeds, kind, self._now(), BASE_FRAME))

    def _destroy(self, topic: str) -> None:
        if topic in self._publishers:
            self._node.destroy_publisher(self._publishers.pop(topic)[1])

    def _stop_robot(self) -> None:
        self.let_go()
        self._stop.publish(interface_class('std_msgs/msg/Bool')(data=True))
        count = self._stop.get_subscription_count()
        self._answer(
            'Emergency stop: sent.' if count else 'Emergency stop: <b>no node subscribes to emergency_stop</b>.'
        )

    def _client(self, button: Button) -> Any:
        return self._clients[button.node, button.service]

    def _call(self, button: Button) -> None:
        client = self._client(button)
        if not client.service_is_ready():
            self._answer(f'{button.label}: no node offers {html.escape(client.srv_name)}.')
            return
        request = interface_class(button.type).Request()
        if button.value is not None:
            request.data = button.value
        self._answer(f'{button.label}: requested, no response yet.')
        client.call_async(request).add_done_callback(lambda future: self._on_answer(button, future))

    def _on_answer(self, button: Button, future: Any) -> None:
        response = future.result()
        done = '' if response.success else '<b>refused</b>: '
        self._answer(f'{button.label}: {done}{html.escape(response.message) or "done"}.'.replace('..', '.'))

    def _now(self) -> Any:
        return self._node.get_clock().now().to_msg()
