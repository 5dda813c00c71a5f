"""From a command to the message that a robot takes; the other half of :mod:`velora_ros.nodes.ros.conversions`."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from velora_ros.contract.joint_signals import joint_signal
from velora_ros.control import Command
from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.policy.decoders import vector_writer
from velora_ros.nodes.ros.command_types import COMMAND_TYPES, JOINT_FIELDS, TWIST_FIELDS, TWISTS
from velora_ros.nodes.ros.conversions import to_stamp
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.spec import PolicySpec

Writer = Callable[[Command], Any]
Clock = Callable[[], int]


def interface_of(kind: str, interface: str, fields: Sequence[str]) -> str:
    """
    Return what is commanded, ``''`` where only the policy's names can tell.

    Raises:
        ConfigError: the type or the fields contradict the interface.
    """
    meanings = {signal[1] for signal in map(joint_signal, fields) if signal}
    meanings |= {'velocity'} if kind in TWISTS else set()
    meanings |= {interface} - {''}
    if len(meanings) > 1:
        raise ConfigError(
            f"'command.type' ({kind}), 'command.interface' and 'command.fields' say {' and '.join(sorted(meanings))}; "
            'a message commands one of them.'
        )
    return meanings.pop() if meanings else ''


def make_writer(
    kind: str, spec: PolicySpec, *, interface: str, fields: Sequence[str], frame_id: str, now: Clock
) -> Writer:
    """
    Return what makes of a command a message, the same every time with new numbers, or a message's bytes.

    Args:
        kind: a key of :data:`velora_ros.nodes.ros.command_types.COMMAND_TYPES`.
        spec: the policy's specification.
        interface: position, velocity or effort, where the names do not say.
        fields: where each action goes, in the policy's order: the index in a Float64MultiArray, the joint of a
            JointState or JointTrajectory, ``linear.x`` ... ``angular.z`` of a Twist. Empty derives from the names.
        frame_id: the header's, where there is one.
        now: tells the time of the robot's clock [ns], for stamps.

    Raises:
        ConfigError: the fields do not fit the message or the policy.
    """
    if fields and len(fields) != spec.action_dim:
        raise ConfigError(
            f"'command.fields' has {len(fields)} entries and the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for each, in this order.'
        )
    if repeated := sorted({field for field in fields if list(fields).count(field) > 1}):
        raise ConfigError(f"'command.fields' repeats {', '.join(repeated)}; each action needs a place of its own.")
    _check_meaning(kind, spec, interface, fields)
    message = interface_class(COMMAND_TYPES[kind])()
    if hasattr(message, 'header'):
        message.header.frame_id = frame_id
    if kind == 'Float64MultiArray':
        return _vector_writer(spec, fields)
    if kind in TWISTS:
        return _twist_writer(message, fields or spec.action_names, now)
    joints, meaning = _joints(kind, spec, interface, fields)
    if kind == 'JointState':
        return _joint_state_writer(message, joints, meaning, now)
    return _trajectory_writer(message, joints, meaning, spec.control_period)


def _check_meaning(kind: str, spec: PolicySpec, interface: str, fields: Sequence[str]) -> None:
    """Refuse to send what may be anything as a command of joints, unless the user says where it goes."""
    unknown = [name for name in spec.action_names if joint_signal(name) is None]
    if fields or not unknown or kind in TWISTS or (kind == 'Float64MultiArray' and not interface):
        return
    what = f'a {kind} commands joints' if kind != 'Float64MultiArray' else f"'command.interface' is {interface}"
    verb = 'do' if len(unknown) > 1 else 'does'
    raise ConfigError(
        f"{what}, and the policy's {', '.join(unknown)} {verb} not name a joint: the training environment did not show "
        "what the action is. Give the joint of each action in 'command.fields', and 'command.scale' and "
        "'command.offset' where the action is not the joint's SI value."
    )


def _vector_writer(spec: PolicySpec, fields: Sequence[str]) -> Writer:
    places = [int(field) if field.isdecimal() else -1 for field in fields]
    if fields and sorted(places) != list(range(len(places))):
        raise ConfigError(
            f"'command.fields' is {', '.join(fields)}; for a Float64MultiArray it is the index of each action in the "
            f'message, {f"each of 0 to {spec.action_dim - 1} once" if spec.action_dim > 1 else "0"}.'
        )
    order, write = [places.index(place) for place in range(len(places))], vector_writer(spec.action_dim)
    return write if order == sorted(order) else lambda command: write([command[place] for place in order])


def _joint_state_writer(message: Any, joints: list[str], meaning: str, now: Clock) -> Writer:
    message.name = joints

    def write(command: Command) -> Any:
        message.header.stamp = to_stamp(now())
        setattr(message, meaning, array('d', command))
        return message

    return write


def _trajectory_writer(message: Any, joints: list[str], meaning: str, period: float) -> Writer:
    # A stamp of zero means "from now on": the controller's clock decides, and no point comes too late.
    message.joint_names = joints
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')()
    seconds = int(period)
    point.time_from_start.sec, point.time_from_start.nanosec = seconds, round((period - seconds) * 1e9)
    message.points = [point]
    field = JOINT_FIELDS['JointTrajectory'][meaning]

    def write(command: Command) -> Any:
        setattr(point, field, array('d', command))
        return message

    return write


def _twist_writer(message: Any, fields: Sequence[str], now: Clock) -> Writer:
    for field in fields:
        if field not in TWIST_FIELDS:
            raise ConfigError(
                f"'{field}' is not part of a Twist; give one for each action in 'command.fields'."
                f'{did_you_mean(field, TWIST_FIELDS)}'
            )
    twist = getattr(message, 'twist', message)
    places = [(getattr(twist, part), axis) for part, _, axis in (field.partition('.') for field in fields)]

    def write(command: Command) -> Any:
        for (vector, axis), value in zip(places, command, strict=True):
            setattr(vector, axis, value)
        if twist is not message:
            message.header.stamp = to_stamp(now())
        return message

    return write


def _joints(kind: str, spec: PolicySpec, interface: str, fields: Sequence[str]) -> tuple[list[str], str]:
    """Return the joints and what is commanded of all of them."""
    signals = [joint_signal(name) for name in fields or spec.action_names]
    joints = [signal[0] if signal else name for signal, name in zip(signals, fields or spec.action_names, strict=True)]
    own = [joint_signal(name) for name in spec.action_names]
    meanings = {signal[1] for signal in (*signals, *own) if signal} | ({interface} - {''})
    if len(meanings) != 1:
        raise ConfigError(
            f'a {kind} commands one thing of all joints, and this would be {", ".join(sorted(meanings)) or "unknown"}; '
            "set 'command.interface' to position, velocity or effort, or command a Float64MultiArray."
        )
    return joints, meanings.pop()
