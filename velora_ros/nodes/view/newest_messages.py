"""
Keeps the newest messages of subscriptions, as bytes, until the page is drawn.

A driver may publish a thousand states a second, but the page shows thirty; only these are decoded.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription

from velora_ros.nodes.ros.endpoints import create_subscription
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.view.parameters import OWNER


class NewestMessages:
    """
    The newest messages of one topic.

    Args:
        node: view_node.
        name: the topic's name in the table.
        topic: the actual name of the topic, if it differs from the name in the table.
        types: full names of the types that can be shown; :meth:`follow_type` subscribes with the published one.
        keep: number of messages kept between two pictures; more than one for states that arrive in parts.
        wait: whether to wait for a call of :meth:`subscribe`.
    """

    def __init__(
        self, node: Node, name: str, *, topic: str = '', types: Sequence[str] = (), keep: int = 1, wait: bool = False
    ) -> None:
        self._node, self._name, self._topic, self._types = node, name, topic or name, tuple(types)
        self._waiting: deque[bytes] = deque(maxlen=keep)
        self._kind: Any = None
        self._subscription: Subscription | None = None
        if not (types or wait):
            self.subscribe()

    def subscribe(self, kind: str = '') -> None:
        """Subscribe, unless this is already done; ``kind`` replaces the type in the table."""
        if self._subscription is not None:
            return
        self._subscription = create_subscription(
            self._node,
            OWNER,
            self._name,
            self._on_message,
            topic_name=self._topic,
            kind=interface_class(kind) if kind else None,
            raw=True,
        )
        self._kind = self._subscription.msg_type

    def unsubscribe(self) -> None:
        """End the subscription and drop its messages."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._waiting.clear()

    def follow_type(self) -> None:
        """Subscribe with the type that is published, if it can be shown and is not subscribed yet."""
        published = {end.topic_type for end in self._node.get_publishers_info_by_topic(self._resolved)}
        for kind in self._types:
            if kind in published:
                if interface_class(kind) is not self._kind or self._subscription is None:
                    self.unsubscribe()
                    self.subscribe(kind)
                return

    def take(self) -> list[Any]:
        """Return up to ``keep`` messages that arrived since the last call, oldest first; invalid ones are dropped."""
        taken = []
        while self._waiting:
            with contextlib.suppress(Exception):  # rclpy raises its own exceptions, or memory errors
                taken.append(deserialize_message(self._waiting.popleft(), self._kind))
        return taken

    def newest(self, use: Callable[[Any], None]) -> None:
        """Call a function with the newest message, if one arrived since the last call."""
        if taken := self.take():
            use(taken[-1])

    @property
    def is_subscribed(self) -> bool:
        """Whether the topic is subscribed."""
        return self._subscription is not None

    @property
    def _resolved(self) -> str:
        return self._node.resolve_topic_name(self._topic)

    def _on_message(self, message: bytes) -> None:
        self._waiting.append(message)
