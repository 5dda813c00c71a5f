"""The services of policy_node for a configured policy: ~/arm, ~/start, ~/reset_state and ~/reload_policy."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.nodes.policy.loop import PolicyLoop
from velora_ros.nodes.policy.topic_factory import OWNER
from velora_ros.nodes.ros.endpoints import create_deferred_service, create_service

INACTIVE = 'the node is inactive; activate it first.'


class PolicyServices:
    """
    Creates the services and answers their requests.

    Args:
        node: policy_node.
        loop: returns the loop of the configured policy, or None.
        not_there: returns the reason why there is no loop.
        reload: reads the policy file again, and calls its argument with '' or with the reason why that failed.
    """

    def __init__(
        self,
        node: Node,
        *,
        loop: Callable[[], PolicyLoop | None],
        not_there: Callable[[], str],
        reload: Callable[[Callable[[str], None]], None],
    ) -> None:
        self._loop, self._not_there, self._reload = loop, not_there, reload
        create_service(node, OWNER, '~/arm', self._on_arm)
        create_service(node, OWNER, '~/reset_state', self._on_reset_state)
        create_service(node, OWNER, '~/start', self._on_start)
        create_deferred_service(node, OWNER, '~/reload_policy', self._on_reload_policy)

    def _on_arm(self, request: Any, response: Any) -> Any:
        loop = self._loop()
        if loop is None:
            response.message = self._not_there()
        elif not loop.active:
            response.message = INACTIVE
        elif not request.data:
            loop.send(loop.controller.disarm())
            response.success, response.message = True, 'disarmed'
        elif loop.controller.arm():
            loop.send(None)
            response.success, response.message = True, 'armed'
        elif loop.controller.fault:
            response.message = f'a fault is latched: {loop.controller.fault}. Call ~/clear_fault first.'
        else:
            response.message = f'{"; ".join(loop.controller.why_not_armed)}.'
        return response

    def _on_start(self, request: Any, response: Any) -> Any:
        loop = self._loop()
        if loop is None or not loop.active:
            response.message = self._not_there() if loop is None else INACTIVE
            return response
        response.message = loop.controller.start()
        response.success = loop.controller.is_commanding
        loop.send(None)
        return response

    def _on_reset_state(self, request: Any, response: Any) -> Any:
        loop = self._loop()
        if loop is None:
            response.message = self._not_there()
        else:
            loop.forget('request')
            response.success, response.message = True, 'hidden state reset'
        return response

    def _on_reload_policy(self, response: Any, send: Callable[[], None]) -> None:
        """Read the policy file again, and respond when the policy runs or cannot run."""

        def answer(why: str) -> None:
            loop = self._loop()
            response.success = not why
            response.message = why or f'running {loop.policy.digest[:12] if loop else ""}'
            send()

        try:
            self._reload(answer)
        except VeloraError as error:
            answer(str(error) if self._loop() is None else f'{error} The old policy stays in use.')
