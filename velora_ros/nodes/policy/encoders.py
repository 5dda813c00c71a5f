"""
Encoders turn commands into the robot's messages: the last of four steps from a state to a command.

An encoder has the method ``encode(command) -> message``. Most encoders fill the same message each time; the encoder of
a vector (``serialised_messages.py``) returns serialised bytes. An encoder whose last message differs also has the
method ``damp`` or ``end``; see :func:`encode_last`.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from velora_ros.contract.joint_signals import joint_signal
from velora_ros.control import Command
from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.command_layout import DAMP, BlockEncoder
from velora_ros.nodes.policy.moving_trajectory import MovingTrajectoryEncoder, trajectory_point
from velora_ros.nodes.policy.serialised_messages import VectorEncoder
from velora_ros.nodes.policy.writer_registry import CommandedActions, OwnEncoder
from velora_ros.nodes.ros.command_types import COMMAND_TYPES, JOINT_FIELDS, TWISTS, check_twist_fields
from velora_ros.nodes.ros.conversions import to_stamp
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter import Values
from velora_ros.spec import PolicySpec

Clock = Callable[[], int]


class Encoder(Protocol):
    """Converts commands to messages."""

    def encode(self, command: Command) -> Any:
        """Return the message, or its bytes, for one SI value per action; the next call may change the same message."""
        ...


def interface_of(kind: str, interface: str, fields: Sequence[str]) -> str:
    """
    Return the commanded interface (position, velocity or effort); ``''`` if only the policy's names determine it.

    Raises:
        ConfigError: the type or the fields contradict the interface.
    """
    meanings = {signal[1] for signal in map(joint_signal, fields) if signal}
    meanings |= {'velocity'} if kind in TWISTS else set()
    meanings |= {interface} - {''}
    if len(meanings) > 1:
        raise ConfigError(
            f"'command.type' ({kind}), 'command.interface' and 'command.fields' mean {' and '.join(sorted(meanings))}; "
            f'a message commands only one of them. Choose one.'
        )
    return meanings.pop() if meanings else ''


def make_encoder(
    kind: str,
    spec: PolicySpec,
    *,
    interface: str,
    fields: Sequence[str],
    frame_id: str,
    now: Clock,
    stops_within: Sequence[tuple[float, float]] = (),
) -> Encoder:
    """
    Return the encoder for a command type.

    Args:
        kind: a key of :data:`velora_ros.nodes.ros.command_types.COMMAND_TYPES`, or the full name of a type that has a
            writer (:mod:`velora_ros.nodes.policy.writer_registry`).
        spec: the policy's specification.
        interface: position, velocity or effort, for names that do not contain it.
        fields: where each action goes, in the policy's order: the index in a Float64MultiArray, the joint of a
            JointState or JointTrajectory, ``linear.x`` ... ``angular.z`` of a Twist. Empty: derived from the names.
        frame_id: the frame of the header, if there is one.
        now: returns the time of the robot's clock [ns], for stamps.
        stops_within: lowest and highest command of each action, if the points of a JointTrajectory have velocities; the
            joints come to rest within these bounds. Empty: no velocities.

    Raises:
        ConfigError: the fields do not fit the message or the policy.
    """
    if stops_within and kind != 'JointTrajectory':
        raise ConfigError(
            f"'command.velocities' is for a JointTrajectory, but 'command.type' is {kind}; omit one of them."
        )
    if fields and len(fields) != spec.action_dim:
        raise ConfigError(
            f"'command.fields' has {len(fields)} entries, but the number of actions is {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one entry for each action, in this order.'
        )
    if repeated := sorted({field for field in fields if list(fields).count(field) > 1}):
        raise ConfigError(f"'command.fields' repeats {', '.join(repeated)}; give each action a different entry.")
    if kind not in COMMAND_TYPES:
        actions = CommandedActions.of(spec, interface=interface, fields=fields, frame_id=frame_id, now=now)
        return OwnEncoder(kind, actions, trial=spec.to_si(np.add(spec.action_low, spec.action_high) / 2).tolist())
    _check_meaning(kind, spec, interface, fields)
    if kind == 'Float64MultiArray':
        return VectorEncoder(spec.action_dim, _places(spec, fields))
    message = interface_class(COMMAND_TYPES[kind])()
    if hasattr(message, 'header'):
        message.header.frame_id = frame_id
    if kind in TWISTS:
        return TwistEncoder(message, fields or spec.action_names, now)
    joints, meaning = _joints(kind, spec, interface, fields)
    if kind == 'JointState':
        return JointStateEncoder(message, joints, meaning, now)
    if stops_within:
        message.joint_names = joints
        return MovingTrajectoryEncoder(message, spec.control_period, stops_within, now, meaning)
    return TrajectoryEncoder(message, joints, meaning, spec.control_period)


def encoder_of(
    spec: PolicySpec, values: Values, interface: str, now: Clock, bounds: Sequence[tuple[float, float]]
) -> Encoder:
    """
    Return the encoder for the node's parameters.

    Args:
        spec: the policy's specification.
        values: the node's parameters.
        interface: as in :func:`make_encoder`.
        now: returns the time of the robot's clock [ns].
        bounds: lowest and highest command of each action.

    Raises:
        ConfigError: the parameters do not fit the message or the policy.
    """
    if (layout := values['command.layout']) and not values['command.velocities']:
        return BlockEncoder(spec, layout, interface or 'position', kind=values['command.type'])
    return make_encoder(
        values['command.type'],
        spec,
        interface=interface,
        fields=values['command.fields'],
        frame_id=values['command.frame_id'],
        now=now,
        stops_within=bounds if values['command.velocities'] else (),
    )


def encode_last(encoder: Encoder, command: Command, fallback: str) -> Any:
    """Return the last message before commands end: it sets the stiffness or the velocities to zero, if it has them."""
    if fallback == DAMP and isinstance(encoder, BlockEncoder):
        return encoder.damp(command)
    if isinstance(encoder, MovingTrajectoryEncoder):
        return encoder.end(command)
    return encoder.encode(command)


class JointStateEncoder:
    """Encodes a command as a JointState with one field: position, velocity or effort."""

    def __init__(self, message: Any, joints: list[str], interface: str, now: Clock) -> None:
        self._message, self._interface, self._now = message, interface, now
        message.name = joints

    def encode(self, command: Command) -> Any:
        """See :class:`Encoder`."""
        self._message.header.stamp = to_stamp(self._now())
        setattr(self._message, self._interface, array('d', command))
        return self._message


class TrajectoryEncoder:
    """
    Encodes a command as a JointTrajectory of one point, one control period from now.

    Its stamp is zero, which means "from now on" by the controller's own clock, so a point never arrives too late.
    """

    def __init__(self, message: Any, joints: list[str], interface: str, period: float) -> None:
        self._message, self._field = message, JOINT_FIELDS['JointTrajectory'][interface]
        message.joint_names = joints
        self._point = trajectory_point(period)
        message.points = [self._point]

    def encode(self, command: Command) -> Any:
        """See :class:`Encoder`."""
        setattr(self._point, self._field, array('d', command))
        return self._message


class TwistEncoder:
    """
    Encodes a command as a Twist or TwistStamped.

    Args:
        message: the message to fill.
        fields: the component of the Twist for each action, such as ``linear.x``.
        now: returns the time of the robot's clock [ns].

    Raises:
        ConfigError: a field is not a component of a Twist.
    """

    def __init__(self, message: Any, fields: Sequence[str], now: Clock) -> None:
        check_twist_fields(fields)
        self._message, self._now = message, now
        twist = getattr(message, 'twist', message)
        self._is_stamped = twist is not message
        self._places = [(getattr(twist, part), axis) for part, _, axis in (field.partition('.') for field in fields)]

    def encode(self, command: Command) -> Any:
        """See :class:`Encoder`."""
        for (vector, axis), value in zip(self._places, command, strict=True):
            setattr(vector, axis, value)
        if self._is_stamped:
            self._message.header.stamp = to_stamp(self._now())
        return self._message


def _check_meaning(kind: str, spec: PolicySpec, interface: str, fields: Sequence[str]) -> None:
    """Refuse to command joints with actions of unknown meaning, unless the user says which joints they command."""
    unknown = [name for name in spec.action_names if joint_signal(name) is None]
    if fields or not unknown or kind in TWISTS or (kind == 'Float64MultiArray' and not interface):
        return
    what = f'a {kind} commands joints' if kind != 'Float64MultiArray' else f"'command.interface' is {interface}"
    verb = 'do' if len(unknown) > 1 else 'does'
    raise ConfigError(
        f"{what}, but the policy's {', '.join(unknown)} {verb} not name a joint: training could not determine what "
        "the action means. Give the joint of each action in 'command.fields', and 'command.scale' and "
        "'command.offset' if the action is not the joint's SI value."
    )


def _places(spec: PolicySpec, fields: Sequence[str]) -> list[int] | None:
    """Return the place of each action in a vector; None for the policy's own order."""
    places = [int(field) if field.isdecimal() else -1 for field in fields]
    if fields and sorted(places) != list(range(len(places))):
        raise ConfigError(
            f"'command.fields' is {', '.join(fields)}; for a Float64MultiArray, give the index of each action in the "
            f'message: {f"each of 0 to {spec.action_dim - 1} once" if spec.action_dim > 1 else "0"}.'
        )
    return None if places == sorted(places) else places


def _joints(kind: str, spec: PolicySpec, interface: str, fields: Sequence[str]) -> tuple[list[str], str]:
    """Return the joints and the one interface that is commanded for all of them."""
    signals = [joint_signal(name) for name in fields or spec.action_names]
    joints = [signal[0] if signal else name for signal, name in zip(signals, fields or spec.action_names, strict=True)]
    own = [joint_signal(name) for name in spec.action_names] if spec.contract is None else []
    meanings = {signal[1] for signal in (*signals, *own) if signal} | ({interface} - {''})
    if len(meanings) != 1:
        raise ConfigError(
            f'a {kind} commands all joints through the same interface, but here the interfaces are '
            f'{", ".join(sorted(meanings)) or "unknown"}; '
            "set 'command.interface' to position, velocity or effort, or 'command.type' to Float64MultiArray."
        )
    return joints, meanings.pop()
