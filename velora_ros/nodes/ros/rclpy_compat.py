"""
The only file that uses private and experimental parts of rclpy, or parts that not every distribution has.

Each part is listed in :data:`PRIVATE`, and a test checks that the installed rclpy has it. If a later rclpy lacks a
part, an error names the part when it is needed. Parts that older distributions lack or have elsewhere are detected by
looking for them; versions are not compared.
"""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.service import Service
from rclpy.subscription import Subscription

from velora_ros.errors import ConfigError

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = ['PublisherEventCallbacks', 'SubscriptionEventCallbacks']  # for other modules, wherever rclpy has them

TESTED_WITH = ('7.1', '9.1')
"""The versions of rclpy (major and minor) with which every part of :data:`PRIVATE` was tested: Jazzy and Kilted."""

PRIVATE = {
    'LifecycleNode._state_machine': 'destroyed with its node; rclpy leaves that to the garbage collector',
    'Node._parameter_overrides': 'the undeclared start-up parameters: misspelt ones and those of other nodes',
    'Service.send_response': 'replaced on a service, so that a later callback can send the response',
    'Subscription.handle.take_message': 'takes messages without a callback, such as those that wait behind another',
    'rclpy.experimental.EventsExecutor': 'several times faster than the other executors; missing before rclpy 7.1.4',
    'rclpy.parameter_service': 'turns ParameterNotDeclaredException into a refusal with its text',
}
"""Each private or experimental part, and its use."""


def rclpy_version() -> str:
    """Return the version of the installed rclpy from its package.xml; ``unknown`` if it has none."""
    try:  # <prefix>/lib/python3.12/site-packages/rclpy/__init__.py
        text = (Path(rclpy.__file__).parents[4] / 'share/rclpy/package.xml').read_text(encoding='utf-8')
    except (IndexError, OSError):
        return 'unknown'
    found = re.search(r'<version>\s*([^<\s]+)\s*</version>', text)
    return found.group(1) if found else 'unknown'


class Refused(ParameterNotDeclaredException):
    """
    A parameter change that is refused with a custom message.

    A pre-set callback can refuse a change only by raising, and rclpy's parameter services catch only this exception.
    """

    def __init__(self, reason: str) -> None:
        Exception.__init__(self, reason)


def start_values(node: Node) -> dict[str, Any]:
    """
    Return the parameters that files and ``-p`` gave a node, by name, declared or not; the value of ``[]`` is None.

    Raises:
        ConfigError: this rclpy does not have the private attribute that is needed.
    """
    overrides = _private(node, '_parameter_overrides', 'Node._parameter_overrides')
    return {name: parameter.value for name, parameter in overrides.items()}


def watch_parameters(
    node: Node,
    coerce: Callable[[list[Parameter]], list[Parameter]],
    check: Callable[[list[Parameter]], SetParametersResult],
    commit: Callable[[list[Parameter]], None],
) -> None:
    """
    Call ``coerce`` and ``check`` before each change of parameters, and ``commit`` after it.

    Humble has only one callback, which runs before the change. There it does all three: ``commit`` gets the converted
    values, but rclpy itself keeps the original ones.

    Args:
        node: the node that declared the parameters.
        coerce: converts the changes; raises :class:`Refused` to refuse them.
        check: accepts or refuses the converted changes.
        commit: applies them.
    """
    if hasattr(node, 'add_pre_set_parameters_callback'):
        node.add_pre_set_parameters_callback(coerce)
        node.add_on_set_parameters_callback(check)
        node.add_post_set_parameters_callback(commit)
        return

    def on_set(changes: list[Parameter]) -> SetParametersResult:
        try:
            converted = coerce(changes)
        except Refused as refusal:
            return SetParametersResult(successful=False, reason=str(refusal))
        result = check(converted)
        if result.successful:
            commit(converted)
        return result

    node.add_on_set_parameters_callback(on_set)


def release_state_machine(node: Node) -> None:
    """
    Destroy the state machine of a lifecycle node that was destroyed; other nodes have none.

    rclpy leaves that to the garbage collector. Until then, the state machine keeps the middleware's threads alive; if
    they still run while the process exits, the process sometimes crashes.
    """
    state_machine = getattr(node, '_state_machine', None)
    if state_machine is not None:
        state_machine.destroy_when_not_in_use()


def answer_later(service: Service, begin: Callable[[Any, Callable[[], None]], None]) -> None:
    """
    Let a later callback send the response of a service.

    rclpy's executors immediately send what a service's callback returns. Here the callback must return the empty
    response, and instead of sending it, ``begin(response, send)`` is called. It fills the response at any later time
    and then calls ``send()``.

    Raises:
        ConfigError: this rclpy does not have the private method that is needed.
    """
    send_now = _private(service, 'send_response', 'Service.send_response')

    def send_later(response: Any, header: Any) -> None:
        begin(response, lambda: send_now(response, header))

    service.send_response = send_later  # type: ignore[method-assign]


def taker(subscription: Subscription) -> Callable[[], Any]:
    """
    Return a function that takes the next queued message of a subscription, or None if the queue is empty.

    Messages of a raw subscription are bytes. A message taken here is not passed to the callback.

    Raises:
        ConfigError: this rclpy does not have the private method that is needed.
    """
    take = info_taker(subscription)

    def take_next() -> Any:
        found = take()
        return None if found is None else found[0]

    return take_next


def info_taker(subscription: Subscription) -> Callable[[], tuple[Any, dict[str, Any]] | None]:
    """
    Return a function that takes the next queued message with the middleware's information, as :func:`taker` does.

    The function returns (message, information), or None if the queue is empty. The information has
    ``source_timestamp`` and ``received_timestamp`` [ns] and ``publication_sequence_number``; missing values are None or
    0. A callback could get it too, but the EventsExecutor of rclpy 7.1.6 fails on such callbacks.

    Raises:
        ConfigError: this rclpy does not have the private method that is needed.
    """
    take = _private(subscription.handle, 'take_message', 'Subscription.handle.take_message')
    kind, raw = subscription.msg_type, subscription.raw
    return lambda: take(kind, raw)


def events_executor() -> Executor | None:
    """Return a new EventsExecutor; None if this rclpy has none."""
    try:
        executor: Executor = importlib.import_module('rclpy.experimental').EventsExecutor()
    except (ImportError, AttributeError):
        return None
    return executor


def _private(owner: object, attribute: str, name: str) -> Any:
    try:
        return getattr(owner, attribute)
    except AttributeError as error:
        raise ConfigError(
            f'rclpy {rclpy_version()} has no {name} ({PRIVATE[name]}). velora_ros supports rclpy '
            f'{" and ".join(TESTED_WITH)}; install one of these versions, or a newer velora_ros.'
        ) from error
