"""
How a policy is connected to a robot: the source of each observation, and the command for its actions.

A task stores the contract in the policies that are trained on it, so that policy_node needs nothing else. Parameters
of policy_node can replace every part of the contract.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from velora_ros.errors import SpecError, did_you_mean

LAST_ACTION, GAIT_CLOCK = 'LastAction', 'GaitClock'
OWN_TYPES = (LAST_ACTION, GAIT_CLOCK)
"""Sources that policy_node computes itself, without a topic."""
TRANSFORMS = ('none', 'sin', 'cos', 'unwrap')
INTERFACES = ('position', 'velocity', 'effort')
ABSOLUTE, INCREMENT = 'absolute', 'increment'
MODES = (ABSOLUTE, INCREMENT)


@dataclass(frozen=True)
class Source:
    """
    Where observations come from: a topic, or policy_node itself (:data:`OWN_TYPES`).

    Args:
        name: the name by which the contract's fields refer to the source.
        topic: the name of the topic; empty for sources that the node computes itself.
        type: the type of the messages, such as ``JointState`` or ``my_msgs/msg/Wheels``; or ``LastAction``, the
            policy's previous output; or ``GaitClock``, with the fields ``sin`` and ``cos`` of the stride's phase.
        missing: values to use before the first message and when the newest message is too old, one for all entries or
            one for each entry. Empty: the observation is refused in these cases.
        frame: the frame in which the messages must be; empty accepts any frame.
        max_age_s: largest time between the newest value and the observation's stamp [s]; 0: no limit, -1: the node's
            limit.
        low: least values that the policy saw in training, one for all entries or one for each entry; smaller values are
            clipped.
        high: greatest values that the policy saw in training, in the same form; greater values are clipped.
        period_s: for a GaitClock: the duration of a stride [s].
        phase: for a GaitClock: the share of a stride that is already completed at the start.
        moves_with: for a GaitClock: the source of the command; while the command is to stand, ``sin`` and ``cos`` are
            0.
        moves_above: for a GaitClock: the command is to move if one of its entries is above this value.
        mounting_rpy: for an Imu: its roll, pitch and yaw in the base's frame [rad]; empty: the two frames are aligned.
        zero_means_no_return: for a LaserScan: whether a range of 0 means "nothing within reach".
    """

    name: str
    topic: str
    type: str
    missing: tuple[float, ...] = ()
    frame: str = ''
    max_age_s: float = -1.0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    period_s: float = 0.0
    phase: float = 0.0
    moves_with: str = ''
    moves_above: float = 0.0
    mounting_rpy: tuple[float, ...] = ()
    zero_means_no_return: bool = False

    def __post_init__(self) -> None:
        for name in ('missing', 'low', 'high'):
            _check_finite(f"{name} of the source '{self.name}'", getattr(self, name))
        if self.max_age_s != -1 and not 0 <= self.max_age_s < math.inf:
            raise SpecError(
                f"max_age_s of the source '{self.name}' is {self.max_age_s}; it must be at least 0, or -1 for the "
                "node's limit."
            )
        if self.type == GAIT_CLOCK and not 0 < self.period_s < math.inf:
            raise SpecError(
                f"period_s of the source '{self.name}' is {self.period_s}; it must be a positive number of seconds."
            )


@dataclass(frozen=True)
class RobotCommand:
    """
    The command that the robot receives for the policy's actions.

    With the mode ``absolute`` an action is sent as its SI value, ``action_scale * action + action_offset`` of the
    policy's specification. With ``increment`` the SI value is a speed, and the command is a position that moves at this
    speed. Both are clipped to [low, high].

    Args:
        type: message type, such as ``Float64MultiArray`` or ``TwistStamped``.
        fields: the joint of each action, or ``linear.x`` ... ``angular.z`` of a Twist.
        interface: the kind of value that is sent: ``position``, ``velocity`` or ``effort``.
        mode: ``absolute`` or ``increment``.
        low: least value that is sent for each action [SI unit].
        high: greatest value that is sent for each action [SI unit].
        stiffness: stiffness of the position servos in training, as advice for the robot's own servos [N*m/rad or N/m];
            empty if unknown.
        damping: damping of the position servos in training [N*m*s/rad or N*s/m]; empty if unknown.
        effort_limit: largest effort of each joint in training [N*m or N]; empty if unknown.
        start_pose: position of each joint at the start of an episode [rad or m]; empty if there is none.
    """

    type: str
    fields: tuple[str, ...]
    interface: str
    mode: str = ABSOLUTE
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    stiffness: tuple[float, ...] = ()
    damping: tuple[float, ...] = ()
    effort_limit: tuple[float, ...] = ()
    start_pose: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_choice("the command's interface", self.interface, INTERFACES)
        _check_choice("the command's mode", self.mode, MODES)
        if self.mode == INCREMENT and self.interface != 'position':
            raise SpecError(f"the command's mode is {INCREMENT}; its interface must be position, not {self.interface}.")
        for name in ('low', 'high', 'stiffness', 'damping', 'effort_limit', 'start_pose'):
            values = getattr(self, name)
            _check_finite(f'{name} of the command', values)
            if len(values) not in (0, len(self.fields)):
                raise SpecError(f'{name} of the command has {len(values)} entries; it must have {len(self.fields)}.')
        for name, low, high in zip(self.fields, self.low, self.high, strict=False):
            if low >= high:
                raise SpecError(f"the command for '{name}' has the limits [{low}, {high}]; low must be below high.")


@dataclass(frozen=True)
class RobotContract:
    """
    The sources of all observations and the meaning of all actions.

    An observation is ``scale * (value - default)``, then its transform.

    Args:
        task: the task in which the policy was trained.
        varied: what differed between the simulations in training, one entry for each term of the task.
        sources: the sources; a message on the first source's topic triggers a step of the policy.
        fields: the source and the field of each observation, as ``<source>:<field>``.
        scale: factor of each observation.
        default: the value that is subtracted before scaling, for example the start pose [SI unit].
        transform: ``none``, ``sin``, ``cos`` or ``unwrap`` for each observation; empty: ``none`` for all.
        command: the command for the robot.

    Raises:
        SpecError: a part is invalid, or parts do not fit together.
    """

    task: str = field(compare=False)
    varied: tuple[str, ...] = field(compare=False)
    sources: tuple[Source, ...]
    fields: tuple[str, ...]
    scale: tuple[float, ...]
    default: tuple[float, ...]
    command: RobotCommand
    transform: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_sources()
        self._check_fields()

    def _check_sources(self) -> None:
        names = [source.name for source in self.sources]
        if not names or len(set(names)) < len(names):
            raise SpecError(
                f'the sources are {", ".join(names) or "none"}; give at least one source, and a distinct name to each.'
            )
        for source in self.sources:
            if not source.name.isidentifier():
                raise SpecError(
                    f"a source has the name '{source.name}'; a name must have only letters, digits and underscores, "
                    'and not begin with a digit.'
                )
            if source.type not in OWN_TYPES and not (source.topic and source.type):
                raise SpecError(
                    f"the source '{source.name}' has the topic '{source.topic}' and the type '{source.type}'; give "
                    'both.'
                )
            if source.moves_with and source.moves_with not in names:
                raise SpecError(
                    f"moves_with of the source '{source.name}' is '{source.moves_with}', which is not a source."
                    f'{did_you_mean(source.moves_with, names)}'
                )

    def _check_fields(self) -> None:
        names = [source.name for source in self.sources]
        for text in self.fields:
            name, colon, what = text.partition(':')
            if not (colon and what):
                raise SpecError(f"the field '{text}' is invalid; write <source>:<field>.")
            if name not in names:
                raise SpecError(f"the field '{text}' names a source that does not exist.{did_you_mean(name, names)}")
        for name in ('scale', 'default', 'transform'):
            given = len(getattr(self, name))
            if given != len(self.fields) and not (name == 'transform' and not given):
                raise SpecError(f'{name} of the observations has {given} entries; it must have {len(self.fields)}.')
        for name in ('scale', 'default'):
            _check_finite(f'{name} of the observations', getattr(self, name))
        for kind in self.transform:
            _check_choice('a transform', kind, TRANSFORMS)

    @property
    def offset(self) -> tuple[float, ...]:
        """The offset that is added to each scaled value: ``-scale * default``."""
        return tuple(-scale * value if value else 0.0 for scale, value in zip(self.scale, self.default, strict=True))

    def differences(self, other: 'RobotContract') -> list[tuple[str, Any, Any]]:
        """Return the name of each part that differs, with its value in this contract and in the other contract."""
        parts: list[tuple[str, Any, Any]] = [('', self, other), ('command.', self.command, other.command)]
        return [
            (f'{prefix}{item.name}', getattr(here, item.name), getattr(there, item.name))
            for prefix, here, there in parts
            for item in fields(here)
            if item.compare and item.name != 'command' and getattr(here, item.name) != getattr(there, item.name)
        ]


def _check_finite(what: str, values: Sequence[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise SpecError(f'{what} has {value}; every number must be finite.')


def _check_choice(what: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SpecError(f"{what} is '{value}', which is unknown.{did_you_mean(value, choices)}")
