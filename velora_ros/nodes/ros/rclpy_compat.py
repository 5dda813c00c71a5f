"""
What the nodes use of rclpy beyond its public interface, all in this file.

Each part is named in :data:`PRIVATE`, and a test looks for every one of them in the installed rclpy. A part that a
later rclpy takes away is reported by its name when it is needed, in one sentence.
"""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

from velora_ros.errors import ConfigError

HOLDS_FOR = ('7.1',)
"""The versions of rclpy (major and minor) with which every part of :data:`PRIVATE` was tried: ROS 2 Jazzy."""

PRIVATE = {
    'LifecycleNode._state_machine': 'destroyed with its node, which rclpy leaves to the garbage collector',
    'Node._parameter_overrides': 'the start-up parameters that nobody declared: the misspelt and the foreign ones',
    'Service.send_response': 'replaced on a service, so that an answer can come from a later callback',
    'Subscription.handle.take_message': 'takes the messages that wait behind the one of a callback',
    'rclpy.experimental.EventsExecutor': 'several times faster than the other executors; missing before rclpy 7.1.4',
    'rclpy.parameter_service': 'turns ParameterNotDeclaredException into a refusal with its text',
}
"""Each private or experimental part, and what it is needed for."""


def rclpy_version() -> str:
    """Return the version of the installed rclpy, from its package.xml; ``unknown`` when it has none."""
    try:  # <prefix>/lib/python3.12/site-packages/rclpy/__init__.py
        text = (Path(rclpy.__file__).parents[4] / 'share/rclpy/package.xml').read_text(encoding='utf-8')
    except (IndexError, OSError):
        return 'unknown'
    found = re.search(r'<version>\s*([^<\s]+)\s*</version>', text)
    return found.group(1) if found else 'unknown'


class Refused(ParameterNotDeclaredException):
    """
    A parameter change refused with our own sentence.

    A callback before the change can refuse only by raising, and rclpy's parameter services catch this kind alone.
    """

    def __init__(self, reason: str) -> None:
        Exception.__init__(self, reason)


def start_values(node: Node) -> dict[str, Any]:
    """
    Return what parameter files and ``-p`` gave a node, by name, declared or not; None where a file says ``[]``.

    Raises:
        ConfigError: this rclpy keeps them elsewhere.
    """
    overrides = _private(node, '_parameter_overrides', 'Node._parameter_overrides')
    return {name: parameter.value for name, parameter in overrides.items()}


def release_state_machine(node: Node) -> None:
    """
    Destroy the state machine of a lifecycle node that was destroyed; other nodes have none.

    rclpy leaves it to the garbage collector. It keeps the middleware alive, whose threads would then still run while
    the process exits, which crashes it now and then.
    """
    state_machine = getattr(node, '_state_machine', None)
    if state_machine is not None:
        state_machine.destroy_when_not_in_use()


def answer_later(service: Service, begin: Callable[[Any, Callable[[], None]], None]) -> None:
    """
    Let a service's answer come later, from another callback.

    rclpy's executors send what a callback returns, at once. The service's callback must therefore return its empty
    response, and what would send it is kept: ``begin(response, send)`` fills it whenever it can and calls ``send()``.

    Raises:
        ConfigError: this rclpy sends answers in another way.
    """
    send_now = _private(service, 'send_response', 'Service.send_response')

    def send_later(response: Any, header: Any) -> None:
        begin(response, lambda: send_now(response, header))

    service.send_response = send_later  # type: ignore[method-assign]


def taker(subscription: Subscription) -> Callable[[], Any]:
    """
    Return what takes the next message that waits in a subscription, and None when none waits.

    Messages are bytes where the subscription is raw. What is taken here reaches no callback.

    Raises:
        ConfigError: this rclpy takes messages in another way.
    """
    take = _private(subscription.handle, 'take_message', 'Subscription.handle.take_message')
    kind, raw = subscription.msg_type, subscription.raw

    def take_next() -> Any:
        found = take(kind, raw)
        return None if found is None else found[0]

    return take_next


def events_executor() -> Executor | None:
    """Return a new EventsExecutor, or None where rclpy has none."""
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
            f'rclpy {rclpy_version()} has no {name}: {PRIVATE[name]}. velora_ros holds for rclpy '
            f'{", ".join(HOLDS_FOR)}; install that one, or a newer velora_ros.'
        ) from error
