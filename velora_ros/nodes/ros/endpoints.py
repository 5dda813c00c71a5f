"""
Creates publishers, subscriptions and services from the rows of ``topics_services_qos.py``.

Every QoS policy of a topic can be changed with ``qos_overrides`` parameters, which rclpy declares and applies.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSPolicyKind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.service import Service as RosService
from rclpy.subscription import Subscription

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.rclpy_compat import PublisherEventCallbacks, SubscriptionEventCallbacks, answer_later
from velora_ros.nodes.ros.topics_services_qos import SERVICES, topic

_OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)


def full_topic_name(node: Node, name: str) -> str:
    """
    Return the full name of a topic, with namespace and remaps applied.

    Raises:
        ConfigError: it is not a valid name.
    """
    try:
        return node.resolve_topic_name(name)
    except (RuntimeError, NameValidationException) as error:
        raise ConfigError(
            f"'{name}' is not a valid topic name; it must consist of letters, digits and underscores, joined by "
            "slashes, and no part may begin with a digit, for example 'left/joint_states'."
        ) from error


def create_publisher(
    node: Node,
    owner: str,
    name: str,
    *,
    topic_name: str = '',
    kind: str = '',
    events: PublisherEventCallbacks | None = None,
) -> Publisher:
    """
    Create a publisher from its row in :data:`TOPICS`.

    Args:
        node: the node that publishes.
        owner: the node's name in the table; a running node may have another name.
        name: the topic's name in the table.
        topic_name: the actual name, if it differs from the row's.
        kind: message type, if it differs from the row's.
        events: callbacks for events of the middleware; by default rclpy logs incompatible subscriptions.

    Raises:
        ConfigError: the name is not valid, or a ``qos_overrides`` parameter has an invalid value.
    """
    row = topic(owner, 'out', name)
    full_topic_name(node, topic_name or name)
    options = QoSOverridingOptions(_OVERRIDABLE)
    try:
        return node.create_publisher(
            interface_class(kind or row.type),
            topic_name or name,
            row.qos.profile(),
            event_callbacks=events,
            qos_overriding_options=options,
        )
    except RuntimeError as error:
        raise ConfigError(
            f"cannot publish the topic '{topic_name or name}': {error}. Check its 'qos_overrides' parameters."
        ) from error


def create_subscription(
    node: Node,
    owner: str,
    name: str,
    callback: Callable[[Any], None],
    *,
    topic_name: str = '',
    kind: Any = None,
    raw: bool = False,
    events: SubscriptionEventCallbacks | None = None,
) -> Subscription:
    """
    Create a subscription from its row in :data:`TOPICS`; arguments and errors are those of :func:`create_publisher`.

    ``topic_name`` and ``kind``, a class, replace the row's. With ``raw`` the callback gets bytes instead of messages.
    """
    row = topic(owner, 'in', name)
    full_topic_name(node, topic_name or name)
    options = QoSOverridingOptions(_OVERRIDABLE)
    try:
        return node.create_subscription(
            kind or interface_class(row.type),
            topic_name or name,
            callback,
            row.qos.profile(),
            event_callbacks=events,
            qos_overriding_options=options,
            raw=raw,
        )
    except RuntimeError as error:
        raise ConfigError(
            f"cannot subscribe to the topic '{topic_name or name}': {error}. Check its 'qos_overrides' parameters."
        ) from error


def create_subscriptions_to_all(node: Node, owner: str, name: str, callback: Callable[[Any], None]) -> None:
    """
    Subscribe to a topic so that publishers of any reliability and durability match.

    This needs three subscriptions: a transient-local one does not match volatile publishers, a volatile one gets no
    earlier messages, and only a best-effort one matches best-effort publishers. Each message can arrive up to three
    times. A publisher that is incompatible with one subscription matches another, so incompatibilities are not logged.
    """
    row = topic(owner, 'in', name)
    unreported = SubscriptionEventCallbacks(incompatible_qos=lambda event: None)
    create_subscription(node, owner, name, callback, events=unreported)
    for other in replace(row.qos, latched=True), replace(row.qos, reliable=False):
        node.create_subscription(interface_class(row.type), name, callback, other.profile(), event_callbacks=unreported)


def create_service(node: Node, owner: str, name: str, callback: Callable[[Any, Any], Any]) -> RosService:
    """Create the service ``name`` of the node ``owner`` from its row in :data:`SERVICES`."""
    row = next(row for row in SERVICES if (row.node, row.name) == (owner, name))
    return node.create_service(interface_class(row.type), name, callback)


def create_deferred_service(
    node: Node, owner: str, name: str, begin: Callable[[Any, Callable[[], None]], None]
) -> None:
    """
    Create a service from its row in :data:`SERVICES` whose response may be sent later, from another callback.

    ``begin(response, send)`` is called with the empty response of each request; it fills the response at any later time
    and then calls ``send()``.
    """
    answer_later(create_service(node, owner, name, lambda request, response: response), begin)
