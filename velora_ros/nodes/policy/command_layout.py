"""
A Float64MultiArray with more than the command: blocks with one number for each action, in a given order.

If the blocks include stiffness and damping, every command sends the robot the gains of training. The fallback ``damp``
is then possible: no stiffness, and the damping of the policy file.
"""

from array import array
from collections.abc import Sequence

from rclpy.serialization import serialize_message
from std_msgs.msg import Float64MultiArray

from velora_ros.control import Command
from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.command_types import GAINS, VECTOR, check_layout
from velora_ros.spec import PolicySpec

DAMP = 'damp'


class BlockEncoder:
    """
    Encodes a command as blocks of a serialised Float64MultiArray.

    Args:
        spec: the policy's specification.
        layout: the blocks, a selection of :data:`velora_ros.nodes.ros.command_types.BLOCKS`.
        interface: the block of the command itself.
        kind: the type of the command's messages.

    Raises:
        ConfigError: a block is unknown or given twice, the block of the command is missing, or the policy file has no
            gains.
    """

    def __init__(self, spec: PolicySpec, layout: Sequence[str], interface: str, *, kind: str = VECTOR) -> None:
        if kind != VECTOR:
            raise ConfigError(f"'command.layout' is for a {VECTOR}, but 'command.type' is {kind}; omit one of them.")
        check_layout(layout, interface)
        count = spec.action_dim
        blocks = {block: [0.0] * count for block in layout}
        for gain in (block for block in GAINS if block in blocks):
            values = getattr(spec.contract.command, gain) if spec.contract is not None else ()
            if not values:
                raise ConfigError(f"'command.layout' has '{gain}', which is not in the policy file; omit this block.")
            blocks[gain] = list(values)
        self._head = serialize_message(Float64MultiArray(data=[0.0] * count * len(layout)))[: -8 * count * len(layout)]
        self._place, self._count = layout.index(interface) * count, count
        self._values = array('d', [value for block in layout for value in blocks[block]])
        limp = {**blocks, 'stiffness': [0.0] * count}
        self._limp = array('d', [value for block in layout for value in limp[block]])

    def encode(self, command: Command) -> bytes:
        """Return the bytes of the message for a command, one number for each action."""
        return self._with(self._values, command)

    def damp(self, command: Command) -> bytes:
        """Return the bytes of a message with zero stiffness, so that only the damping acts on the joints."""
        return self._with(self._limp, command)

    def _with(self, values: 'array[float]', command: Command) -> bytes:
        values[self._place : self._place + self._count] = array('d', command)
        return self._head + values.tobytes()
