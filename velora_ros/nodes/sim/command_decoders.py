"""Decodes a command message, as policy_node encodes it, into one value for each action of the simulated robot."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import joint_signal
from velora_ros.errors import ConfigError, SpecError
from velora_ros.gym.servo_gains import Gains
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.command_types import GAINS, JOINT_FIELDS, TWISTS, VECTOR, check_layout, check_twist_fields
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]


class CommandDecoder(Protocol):
    """Decodes the messages of one command type."""

    def decode(self, message: Any) -> Array:
        """
        Return the values in the order of the robot's actions, shape (action,).

        Raises:
            SpecError: the message does not fit the robot.
        """


def make_command_decoder(
    kind: str, spec: PolicySpec, *, interface: str, fields: Sequence[str], layout: Sequence[str] = ()
) -> CommandDecoder:
    """
    Return the decoder of a command type.

    Args:
        kind: a key of :data:`velora_ros.nodes.ros.command_types.COMMAND_TYPES`.
        spec: the specification of the robot's actions.
        interface: position, velocity or effort; needed if the robot's action names do not contain it.
        fields: policy_node's parameter ``command.fields``: the joint of each action in a JointState or JointTrajectory,
            or the component of a Twist. A Float64MultiArray is always in the order of the actions.
        layout: policy_node's parameter ``command.layout``: the blocks of a Float64MultiArray; if empty, there is one
            block.

    Raises:
        ConfigError: the fields or the layout do not fit the robot.
    """
    if kind == VECTOR and layout:
        return BlockDecoder(layout, _interface(spec, interface, fields) or 'position', spec.action_dim)
    if kind == VECTOR:
        return VectorDecoder()
    if fields and len(fields) != spec.action_dim:
        raise ConfigError(
            f"'command.fields' has {len(fields)} entries, but the number of actions is {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one entry for each action, in this order.'
        )
    if kind in TWISTS:
        return TwistDecoder(fields or spec.action_names)
    return JointDecoder(kind, _joints(kind, spec, fields), _interface(spec, interface, fields))


class VectorDecoder:
    """Decodes a Float64MultiArray."""

    def decode(self, message: Any) -> Array:
        """Return the message's values, shape (values,); the robot checks their number."""
        return conversions.from_vector(message)


class BlockDecoder:
    """
    Decodes a Float64MultiArray of several blocks, each with one number for each action.

    Args:
        layout: the blocks in their order.
        interface: the block of the command itself.
        count: number of actions.

    Raises:
        ConfigError: a block is unknown or given twice, or the block ``interface`` is missing.
    """

    def __init__(self, layout: Sequence[str], interface: str, count: int) -> None:
        check_layout(layout, interface)
        self._layout, self._interface, self._count = list(layout), interface, count

    def decode(self, message: Any) -> Array:
        """
        Return the values of the block of the command itself, shape (action,).

        Raises:
            SpecError: the message has another length, or a block other than the command and the gains is not zero.
        """
        blocks = self._blocks(message)
        for name, values in blocks.items():
            if name not in (self._interface, *GAINS) and values.any():
                raise SpecError(
                    f"the block '{name}' of a command is {values.tolist()}; it must be zero, because the simulated "
                    f"robot is commanded by '{self._interface}'."
                )
        return blocks[self._interface]

    def gains(self, message: Any) -> Gains:
        """
        Return the gains in the message of a command.

        Raises:
            SpecError: the message has another length, or a gain is negative or not finite.
        """
        blocks = {name: values for name, values in self._blocks(message).items() if name in GAINS}
        for name, values in blocks.items():
            if not (np.isfinite(values) & (values >= 0)).all():
                raise SpecError(f"the block '{name}' of a command is {values.tolist()}; gains must be at least 0.")
        return Gains(**blocks)

    def _blocks(self, message: Any) -> dict[str, Array]:
        values = conversions.from_vector(message)
        if len(values) != len(self._layout) * self._count:
            raise SpecError(
                f"the command has {len(values)} values, but with 'command.layout' {', '.join(self._layout)} it must "
                f'have {len(self._layout) * self._count}: {self._count} in each block.'
            )
        return dict(zip(self._layout, values.reshape(-1, self._count), strict=True))


class TwistDecoder:
    """
    Decodes a Twist or TwistStamped.

    Args:
        fields: the component of the Twist for each action, such as ``linear.x``.

    Raises:
        ConfigError: a field is not a component of a Twist.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        check_twist_fields(fields)
        self._getters = [attrgetter(field) for field in fields]

    def decode(self, message: Any) -> Array:
        """Return the value of each action, shape (action,)."""
        twist = getattr(message, 'twist', message)
        return np.array([get(twist) for get in self._getters])


class JointDecoder:
    """
    Decodes a JointState, or the first point of a JointTrajectory; joints may be in any order.

    Args:
        kind: ``JointState`` or ``JointTrajectory``.
        joints: for each action the name of its joint in the messages.
        interface: position, velocity or effort; ``''`` for the one interface that a message has.
    """

    def __init__(self, kind: str, joints: Sequence[str], interface: str) -> None:
        self._kind, self._joints, self._interface = kind, list(joints), interface

    def decode(self, message: Any) -> Array:
        """
        Return the value of each action's joint, shape (action,).

        Raises:
            SpecError: the message has other joints, does not have one value for each joint, or has no trajectory point.
        """
        if self._kind == 'JointState':
            names, point = message.name, message
        else:
            if not message.points:
                raise SpecError('a JointTrajectory has no points; the simulated robot needs at least one.')
            names, point = message.joint_names, message.points[0]
        self._check_joints(names)
        values = self._pick({what: getattr(point, field) for what, field in JOINT_FIELDS[self._kind].items()})
        value_of = dict(zip(names, values, strict=True))
        return np.array([value_of[joint] for joint in self._joints], dtype=np.float64)

    def _check_joints(self, names: Sequence[str]) -> None:
        if sorted(names) == sorted(self._joints):
            return
        missing = [joint for joint in self._joints if joint not in names]
        unknown = [name for name in names if name not in self._joints]
        parts = [f'{verb} {", ".join(found)}' for verb, found in (('lacks', missing), ('has', unknown)) if found]
        raise SpecError(
            f'a {self._kind} {" and ".join(parts) or "names a joint twice"}; the simulated robot needs exactly '
            f'{", ".join(self._joints)}.'
        )

    def _pick(self, values: Mapping[str, Sequence[float]]) -> Sequence[float]:
        """Return the values of the commanded interface."""
        present = [interface for interface, numbers in values.items() if len(numbers)]
        if self._kind == 'JointTrajectory' and present == ['position', 'velocity']:
            present = ['position']  # the velocities are the ones at that point, not commands
        interface = self._interface or (present[0] if len(present) == 1 else '')
        if not interface or len(values[interface]) != len(self._joints):
            found = ' and '.join(f'{len(values[what])} values of {what}' for what in present) or 'no values'
            raise SpecError(
                f'a {self._kind} has {found} for {len(self._joints)} joints; the simulated robot needs one value of '
                f'{interface or "either position, velocity or effort"} for each.'
            )
        return values[interface]


def _joints(kind: str, spec: PolicySpec, fields: Sequence[str]) -> list[str]:
    """Return for each action the name that its joint has in command messages."""
    own = [signal[0] if (signal := joint_signal(name)) else '' for name in spec.action_names]
    given = [signal[0] if (signal := joint_signal(name)) else name for name in fields]
    known = set(given) & set(own)
    if known and set(given) != set(own):
        unknown = ', '.join(sorted(set(given) - known))
        raise ConfigError(
            f"'command.fields' has {unknown}, but the simulated robot drives {', '.join(own)}. Use these names. If "
            "your robot's joints have other names, use only those, in the order of the actions."
        )
    joints = own if known or not given else given
    if '' in joints:
        unnamed = ', '.join(name for name, joint in zip(spec.action_names, own, strict=True) if not joint)
        raise ConfigError(
            f"a {kind} commands joints, but the simulated robot's actions {unnamed} do not name joints; give the joint "
            "of each action in 'command.fields', as for policy_node."
        )
    return joints


def _interface(spec: PolicySpec, interface: str, fields: Sequence[str]) -> str:
    """Return the commanded interface; ``''`` if neither the names nor the parameter determine it."""
    signals = [joint_signal(name) for name in (*spec.action_names, *fields)]
    interfaces = {signal[1] for signal in signals if signal} | {interface} - {''}
    return interfaces.pop() if len(interfaces) == 1 else ''
