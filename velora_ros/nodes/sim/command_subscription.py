"""Decodes a command message into the simulated robot's command. :mod:`velora_ros.nodes.policy.encoders` encodes it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.subscription import Subscription

from velora_ros.contract.joint_signals import INTERFACES, joint_signal
from velora_ros.errors import ConfigError, SpecError, did_you_mean
from velora_ros.nodes.policy.encoders import AXES, POINT, TWISTS, TYPES
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_subscription
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.ros.timers import Timers
from velora_ros.nodes.sim.parameters import AUTO, OWNER
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]
# Returns the values of a message in the spec's action order; raises SpecError for one that does not fit the robot.
CommandReader = Callable[[Any], Array]

VECTOR = 'Float64MultiArray'
LOOK_EVERY_S = 0.2
# How often a subscription in another type is tried: two looks of a node that was held up follow each other at once.
_ATTEMPTS = 50


class CommandInput:
    """
    Subscribes to ``command`` with the type named by ``command.type``, or, with ``auto``, with the published type.

    Args:
        node: sim_node.
        spec: what the robot takes.
        values: the node's parameters.
        take: called with each message and the reader for it.
        idle: says that no command came lately, so that another type may be looked for.

    Raises:
        ConfigError: ``command.fields`` do not fit the robot.
    """

    def __init__(
        self,
        node: Node,
        spec: PolicySpec,
        values: Values,
        *,
        take: Callable[[Any, CommandReader], None],
        idle: Callable[[], bool],
    ) -> None:
        self._node, self._spec, self._values = node, spec, values
        self._take, self._idle = take, idle
        self._auto = values['command.type'] == AUTO
        self._told = self._next = ''
        self._attempts = 0
        self._subscription: Subscription
        self._subscribe(VECTOR if self._auto else values['command.type'])
        Timers(node).set(self._look, LOOK_EVERY_S)

    def _subscribe(self, kind: str) -> None:
        read = self._reader(kind)
        self._kind = kind
        self._subscription = create_subscription(
            self._node, OWNER, 'command', lambda message: self._take(message, read), kind=interface_class(TYPES[kind])
        )

    def _reader(self, kind: str) -> CommandReader:
        interface, fields = self._values['command.interface'], self._values['command.fields']
        return make_command_reader(kind, self._spec, interface=interface, fields=fields)

    def _look(self) -> None:
        """Look for publishers of another type: take theirs, or say that their commands cannot be taken."""
        if self._next and not self._follow():
            return
        if not self._idle():
            return
        topic = self._subscription.topic_name
        found = {info.topic_type: info.node_name for info in self._node.get_publishers_info_by_topic(topic)}
        if not found or TYPES[self._kind] in found:
            return
        full_name, publisher = next(iter(found.items()))
        kind = next((short for short, full in TYPES.items() if full == full_name), None)
        if not self._auto or kind is None:
            wanted = f"'command.type' is {self._kind}" if not self._auto else f'sim_node takes {", ".join(TYPES)}'
            self._tell(f"'{publisher}' publishes {full_name} on '{topic}', and {wanted}: its commands do not arrive.")
            return
        try:
            self._reader(kind)
        except ConfigError as error:
            self._tell(f"'{publisher}' publishes {full_name} on '{topic}': {error}")
            return
        # One process cannot have a topic in two types, and the executor lets go of the old one in its next round.
        self._node.destroy_subscription(self._subscription)
        self._next = kind
        self._node.get_logger().info(f"commands are taken as {kind}, which '{publisher}' publishes")

    def _follow(self) -> bool:
        """Subscribe in the next type; return False while the executor has not let go of the old subscription."""
        try:
            self._subscribe(self._next)
        except ConfigError:
            self._attempts += 1
            if self._attempts >= _ATTEMPTS:
                raise
            return False
        self._next, self._attempts = '', 0
        return True

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._node.get_logger().warning(text)


def make_command_reader(kind: str, spec: PolicySpec, *, interface: str, fields: Sequence[str]) -> CommandReader:
    """
    Return what reads a command.

    Args:
        kind: a key of :data:`velora_ros.nodes.policy.encoders.TYPES`.
        spec: what the robot takes.
        interface: position, velocity or effort, where the robot's names do not say.
        fields: as policy_node has them: the joints of a JointState or JointTrajectory, the part of a Twist for each
            action. A vector is always in the spec's order.

    Raises:
        ConfigError: the fields do not fit the robot.
    """
    if kind == VECTOR:
        return conversions.from_vector
    if fields and len(fields) != spec.action_dim:
        raise ConfigError(
            f"'command.fields' has {len(fields)} entries and the simulated robot takes {spec.action_dim} values: "
            f'{", ".join(spec.action_names)}. Give one for each, in this order.'
        )
    if kind in TWISTS:
        return _twist_reader(fields or spec.action_names)
    joints, meaning = _joints_of(kind, spec, interface, fields)
    return _joint_state_reader(joints, meaning) if kind == 'JointState' else _trajectory_reader(joints, meaning)


def _twist_reader(fields: Sequence[str]) -> CommandReader:
    for field in fields:
        if field not in AXES:
            raise ConfigError(
                f"'{field}' is not a part of a Twist; give one for each action of the simulated robot in "
                f"'command.fields'.{did_you_mean(field, AXES)}"
            )
    places = [field.split('.') for field in fields]

    def read(message: Any) -> Array:
        twist = getattr(message, 'twist', message)
        return np.array([getattr(getattr(twist, part), axis) for part, axis in places])

    return read


def _joints_of(kind: str, spec: PolicySpec, interface: str, fields: Sequence[str]) -> tuple[list[str], str]:
    """Return the joint that each action is called by in a message, and what is commanded of them; '' if unknown."""
    own = [signal[0] if (signal := joint_signal(name)) else '' for name in spec.action_names]
    named = [signal[0] if (signal := joint_signal(name)) else name for name in fields]
    known = set(named) & set(own)
    if known and set(named) != set(own):
        unknown = ', '.join(sorted(set(named) - known))
        raise ConfigError(
            f"'command.fields' has {unknown}, which the simulated robot does not drive; it drives {', '.join(own)}. "
            'Name these, or, where your robot calls its joints otherwise, all of your own in the same order.'
        )
    joints = own if known or not named else named
    if '' in joints:
        unnamed = ', '.join(name for name, joint in zip(spec.action_names, own, strict=True) if not joint)
        raise ConfigError(
            f'a {kind} commands joints, and {unnamed} of the simulated robot is not one; name the joint of each action '
            "in 'command.fields', as at policy_node."
        )
    signals = [joint_signal(name) for name in (*spec.action_names, *fields)]
    meanings = {signal[1] for signal in signals if signal} | {interface} - {''}
    return joints, meanings.pop() if len(meanings) == 1 else ''


def _joint_state_reader(joints: Sequence[str], meaning: str) -> CommandReader:
    def read(message: Any) -> Array:
        return _by_name(
            'JointState', joints, message.name, {what: getattr(message, what) for what in INTERFACES}, meaning
        )

    return read


def _trajectory_reader(joints: Sequence[str], meaning: str) -> CommandReader:
    def read(message: Any) -> Array:
        if not message.points:
            raise SpecError('a JointTrajectory has no point; the first one is what is commanded.')
        values = {what: getattr(message.points[0], POINT[what]) for what in INTERFACES}
        return _by_name('JointTrajectory', joints, message.joint_names, values, meaning)

    return read


def _by_name(kind: str, joints: Sequence[str], names: Sequence[str], values: dict[str, Any], meaning: str) -> Array:
    """Return the values in the order of ``joints``."""
    if sorted(names) != sorted(joints):
        lacks = [joint for joint in joints if joint not in names]
        other = [name for name in names if name not in joints]
        what = [f'{verb} {", ".join(found)}' for verb, found in (('lacks', lacks), ('has', other)) if found]
        raise SpecError(
            f'a {kind} {" and ".join(what) or "names a joint twice"}; the simulated robot is commanded by exactly '
            f'{", ".join(joints)}.'
        )
    given = [what for what, numbers in values.items() if len(numbers)]
    if not meaning and len(given) == 1:
        meaning = given[0]
    if not meaning or len(values[meaning]) != len(names):
        found = ' and '.join(f'{len(values[what])} values of {what}' for what in given) or 'no values'
        raise SpecError(
            f'a {kind} has {found} for {len(names)} joints; the simulated robot takes '
            f'{meaning or "one of position, velocity and effort"} of each.'
        )
    places = {name: place for place, name in enumerate(names)}
    return np.array([values[meaning][places[joint]] for joint in joints], dtype=np.float64)
