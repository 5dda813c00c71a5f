"""The subscription of sim_node to ``command``, with the type of ``command.type`` or the type that is published."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from velora_ros.errors import ConfigError, SpecError
from velora_ros.gym.servo_gains import Gains
from velora_ros.nodes.ros.command_types import BLOCKS, COMMAND_TYPES, VECTOR
from velora_ros.nodes.ros.endpoints import create_subscription
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.command_decoders import Array, BlockDecoder, CommandDecoder, make_command_decoder
from velora_ros.nodes.sim.parameters import AUTO, OWNER
from velora_ros.spec import PolicySpec

# Number of attempts to subscribe with another type; on a busy machine, delayed calls follow each other immediately.
MOST_ATTEMPTS = 50


class CommandSubscription:
    """
    Subscribes to ``command`` and decodes its messages.

    Args:
        node: sim_node.
        spec: the specification of the robot's actions.
        values: the node's parameters.
        callback: called with each message, which has the currently subscribed type.

    Raises:
        ConfigError: ``command.fields`` or ``command.layout`` does not fit the robot.
    """

    def __init__(self, node: Node, spec: PolicySpec, values: Values, callback: Callable[[Any], None]) -> None:
        self._node, self._spec, self._values, self._callback = node, spec, values, callback
        self._auto = values['command.type'] == AUTO
        self._logged = ''
        self._next_kind = ''
        self._attempts = 0
        self._kind: str
        self._decoder: CommandDecoder
        self._subscription: Subscription
        self._subscribe(VECTOR if self._auto else values['command.type'])

    def decode(self, message: Any) -> Array:
        """
        Return the values of a message in the order of the robot's actions, shape (action,).

        Raises:
            SpecError: the message does not fit the robot.
        """
        values = self._decoder.decode(message)
        blocks, rest = divmod(len(values), self._spec.action_dim)
        if rest == 0 and 1 < blocks <= len(BLOCKS):
            raise SpecError(
                f'the command has {len(values)} values, but the robot takes {self._spec.action_dim}: '
                f'{", ".join(self._spec.action_names)}. If the command has {blocks} blocks, set the same '
                "'command.layout' in sim_node as in policy_node."
            )
        return values

    def gains(self, message: Any) -> Gains:
        """
        Return the gains in a message; a message without gains leaves the robot's own unchanged.

        Raises:
            SpecError: a gain is negative or not finite.
        """
        return self._decoder.gains(message) if isinstance(self._decoder, BlockDecoder) else Gains()

    def follow_publishers(self) -> None:
        """
        Change the subscription to the type that is published, or warn that its commands are not received.

        The loop calls it repeatedly while no command arrives.

        Raises:
            ConfigError: the new subscription still fails after :data:`MOST_ATTEMPTS` attempts.
        """
        if self._next_kind and not self._subscribe_in_next_kind():
            return
        topic = self._subscription.topic_name
        published = {info.topic_type: info.node_name for info in self._node.get_publishers_info_by_topic(topic)}
        if not published or COMMAND_TYPES[self._kind] in published:
            return
        full_name, publisher = next(iter(published.items()))
        kind = next((short for short, full in COMMAND_TYPES.items() if full == full_name), None)
        if not self._auto or kind is None:
            valid = f'sim_node takes {", ".join(COMMAND_TYPES)}' if self._auto else f"'command.type' is {self._kind}"
            self._warn(
                f"'{publisher}' publishes {full_name} on '{topic}', but {valid}, so its commands are not received; "
                'change one of the types.'
            )
            return
        try:
            self._make_decoder(kind)
        except ConfigError as error:
            self._warn(f"'{publisher}' publishes {full_name} on '{topic}': {error}")
            return
        # A process cannot subscribe to one topic with two types, and the executor releases the old subscription only in
        # its next round.
        self._node.destroy_subscription(self._subscription)
        self._next_kind = kind
        self._node.get_logger().info(f"subscribing to commands as {kind}, which '{publisher}' publishes")

    def _subscribe_in_next_kind(self) -> bool:
        """Subscribe with the next type; return False while the executor has not released the old subscription."""
        try:
            self._subscribe(self._next_kind)
        except ConfigError:
            self._attempts += 1
            if self._attempts >= MOST_ATTEMPTS:
                raise
            return False
        self._next_kind, self._attempts = '', 0
        return True

    def _subscribe(self, kind: str) -> None:
        decoder = self._make_decoder(kind)
        self._subscription = create_subscription(
            self._node, OWNER, 'command', self._callback, kind=interface_class(COMMAND_TYPES[kind])
        )
        self._kind, self._decoder = kind, decoder

    def _make_decoder(self, kind: str) -> CommandDecoder:
        interface, fields = self._values['command.interface'], self._values['command.fields']
        layout = self._values['command.layout']
        return make_command_decoder(kind, self._spec, interface=interface, fields=fields, layout=layout)

    def _warn(self, text: str) -> None:
        """Log a warning, unless it equals the last one."""
        if text != self._logged:
            self._logged = text
            self._node.get_logger().warning(text)
