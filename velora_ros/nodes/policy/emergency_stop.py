"""
The emergency stop of policy_node, requested by a message or a service call.

:meth:`velora_ros.control.controller.Controller.emergency_stop` latches it as a fault; ``~/clear_fault`` releases it.
"""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from velora_ros.nodes.policy.topic_factory import OWNER
from velora_ros.nodes.ros.endpoints import create_service, create_subscriptions_to_all


class EmergencyStop:
    """
    Subscribes to ``emergency_stop`` and offers ``~/emergency_stop``.

    It exists as long as the node, so that a stop also counts before a policy is loaded and while another is loading.

    Args:
        node: the node.
        stop: called when a message or a call requests the stop.
    """

    def __init__(self, node: Node, stop: Callable[[], None]) -> None:
        self._stop = stop
        create_subscriptions_to_all(node, OWNER, 'emergency_stop', self._on_message)
        create_service(node, OWNER, '~/emergency_stop', self._on_call)

    def _on_message(self, message: Any) -> None:
        if message.data:
            self._stop()

    def _on_call(self, request: Any, response: Any) -> Any:
        if request.data:
            self._stop()
            response.success, response.message = True, 'emergency stop latched'
        else:
            response.message = 'false does not release the emergency stop; call ~/clear_fault.'
        return response
