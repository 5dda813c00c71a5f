"""Creates the publishers and subscriptions of a configured policy_node, with warnings about quality of service."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.ros import endpoints
from velora_ros.nodes.ros.rclpy_compat import PublisherEventCallbacks, SubscriptionEventCallbacks

OWNER = 'policy_node'


class TopicFactory:
    """
    Creates topics from the rows of the interface table, and destroys them together.

    Args:
        node: the node on which the topics are created.
        diagnostics: warns about publishers and subscribers with an incompatible quality of service.
    """

    def __init__(self, node: Node, diagnostics: Diagnostics) -> None:
        self._node, self._diagnostics = node, diagnostics
        self._undo: list[Callable[[], Any]] = []

    def publisher(self, name: str, kind: str = '') -> Any:
        """Create the publisher of the topic ``name`` in the table; ``kind`` replaces the type in the table."""
        events = PublisherEventCallbacks(
            incompatible_qos=partial(self._diagnostics.on_incompatible_qos, name, 'subscriber', 'publisher')
        )
        publisher = endpoints.create_publisher(self._node, OWNER, name, kind=kind, events=events)
        self._undo.append(lambda: self._node.destroy_publisher(publisher))
        return publisher

    def subscription(
        self, name: str, callback: Callable[[Any], None], *, topic_name: str = '', kind: Any = None, raw: bool = False
    ) -> Subscription:
        """
        Create the subscription of the topic ``name`` in the table.

        ``topic_name`` and ``kind`` replace the name and the type in the table; with ``raw`` the callback gets bytes.
        """
        events = SubscriptionEventCallbacks(
            incompatible_qos=partial(
                self._diagnostics.on_incompatible_qos, topic_name or name, 'publisher', 'subscription'
            )
        )
        subscription = endpoints.create_subscription(
            self._node, OWNER, name, callback, topic_name=topic_name, kind=kind, raw=raw, events=events
        )
        self._undo.append(lambda: self._node.destroy_subscription(subscription))
        return subscription

    def destroy(self) -> None:
        """Destroy all publishers and subscriptions, in reverse order."""
        while self._undo:
            self._undo.pop()()
