"""
How a policy is connected to a robot: the source of each observation, and the command for its actions.

A task writes it into its policies, so that policy_node needs nothing else. Parameters of policy_node
can replace every part of it.
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
    A topic from which observations are read, or one of :data:`OWN_TYPES`.

    Args:
        name: its name in the fields.
        topic: its topic; empty for sources that the node computes itself.
        type: the type of its messages, such as ``JointState`` or ``my_msgs/msg/Wheels``; or ``LastAction``, the
            policy's previous output; or ``GaitClock``, with the fields ``sin`` and ``cos`` of the time since the start.
        missing: values used before the first message and when the newest is too old, one for all or one for each;
            empty refuses the observation instead.
        frame: the frame that its messages must be in; empty accepts any.
        max_age_s: largest time between its newest value and the observation's stamp [s]; 0: no limit, -1: the node's.
        low: least values that the policy saw in training, one for all or one for each; smaller ones are clipped.
        high: greatest values that the policy saw in training; greater ones are clipped.
        period_s: of a GaitClock, the duration of a stride [s].
        phase: of a GaitClock, the share of a stride that is already completed at the start.
        moves_with: of a GaitClock, the source of the command; while it commands standing, sine and cosine are zero.
        moves_above: of a GaitClock, an entry of the command above this is a command to move.
        mounting_rpy: roll, pitch and yaw of an Imu in the base's frame [rad]; empty: the two frames are aligned.
        zero_means_no_return: of a LaserScan, whether a range of 0 means "nothing within reach".
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
            raise SpecError(f"max_age_s of the source '{self.name}' is {self.max_age_s}; it must be at least 0, or -1.")
        if self.type == GAIT_CLOCK and not 0 < self.period_s < math.inf:
            raise SpecError(f"period_s of the source '{self.name}' is {self.period_s}; it must be a positive number.")


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
        interface: what is sent: ``position``, ``velocity`` or ``effort``.
        mode: ``absolute`` or ``increment``.
        low: least value that is sent for each action [SI unit].
        high: greatest value that is sent for each action [SI unit].
        stiffness: stiffness of the position servos in training, advice for the robot's own [N*m/rad or N/m]; empty if
            unknown.
        damping: of the servos in training [N*m*s/rad or N*s/m]; empty if unknown.
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
        if any(low >= high for low, high in zip(self.low, self.high, strict=False)):
            raise SpecError('the command has a lower limit that is not below its upper limit; correct low and high.')


@dataclass(frozen=True)
class RobotContract:
    """
    The sources of all observations and the meaning of all actions.

    An observation is ``scale * (value - default)``, then its transform.

    Args:
        task: the task in which the policy was trained.
        varied: what differed between its simulations, one entry for each term.
        sources: the topics; a message of the first one triggers a step of the policy.
        fields: ``<source>:<field>`` for each observation.
        scale: factor of each observation.
        default: the value that is subtracted before scaling, for example the start pose [SI unit].
        transform: ``none``, ``sin``, ``cos`` or ``unwrap`` of each; empty is none for all.
        command: the command for the robot.

    Raises:
        SpecError: a part is not valid or parts do not fit each other.
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
            raise SpecError(f'the sources are {", ".join(names) or "none"}; give at least one, with distinct names.')
        for source in self.sources:
            if not source.name.isidentifier():
                raise SpecError(f"a source has the name '{source.name}'; use letters, digits and underscores.")
            if source.type not in OWN_TYPES and not (source.topic and source.type):
                raise SpecError(f"the source '{source.name}' must have a topic and a message type.")
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
        """Return the name of each part that differs, with its value here and in the other."""
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
