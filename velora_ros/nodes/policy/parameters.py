"""The parameters of policy_node, and what the controller needs of them."""

import math
import re
from collections.abc import Sequence

from velora_ros.contract.sources import DEFAULT_SOURCES, TRANSFORMS, ObservationSettings, Source
from velora_ros.control import Settings
from velora_ros.control.safety import Safety
from velora_ros.errors import ConfigError
from velora_ros.nodes.policy import readers
from velora_ros.nodes.policy.encoders import interface_of
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import canonical_type
from velora_ros.nodes.ros.parameters import Parameter, Values
from velora_ros.policy import PolicyFile
from velora_ros.policy.engines import ENGINES

# A name of an action that says nothing but its place.
_NO_MEANING = re.compile(r'action_\d+')
_OFF = '0 switches it off.'

PARAMETERS = (
    Parameter('policy', 'string', '', 'Path of the policy file, or the name of a shipped one.'),
    Parameter(
        'policy_dirs', 'string_array', [],
        'Folders below which other policies may be; those of the policy at the start and of the shipped ones are too.',
        read_only='it guards against loading anything else.',
    ),
    Parameter(
        'follow_trainer', 'bool', False,
        'Take the policies that policy_update names, while running; autostarted without a policy, wait for the first.',
    ),
    Parameter('engine', 'string', 'auto', 'What steps the policy; auto is numba where there is one.', choices=ENGINES),
    Parameter(
        'autostart', 'bool', False, 'Configure and activate at the start; without it somebody else manages the node.',
        read_only='it only matters at the start; use the lifecycle services.',
    ),
    Parameter('arm_on_activate', 'bool', False, 'Command as soon as the node is active, without a call of ~/arm.'),
    Parameter('auto_recover', 'bool', False, 'A usable state clears a fault (never an emergency stop) by itself.'),
    Parameter(
        'max_state_age_s', 'double', -1.0, f'An older state yields no command; -1 is 3 T. {_OFF}', 's', (-1, math.inf)
    ),
    Parameter(
        'watchdog_timeout_s', 'double', -1.0, f'Longer silence is a latched fault; -1 is 10 T. {_OFF}', 's',
        (-1, math.inf),
    ),
    Parameter(
        'max_gap_s', 'double', -1.0, f'A longer gap resets the hidden state; -1 is 10 T. {_OFF}', 's', (-1, math.inf)
    ),
    Parameter(
        'fallback', 'string', 'auto',
        'Command on a fault and at the end; auto holds positions and servos, and zeroes velocities, efforts and the'
        ' unknown.',
        choices=('auto', 'zero', 'hold', 'pose', 'none'),
    ),
    Parameter(
        'fallback_pose', 'double_array', [], "The command of the fallback 'pose', in action order and SI units."
    ),
    Parameter(
        'ramp_s', 'double', 0.0, f'After arming, commands are ramped in from where the robot is for so long. {_OFF}',
        's', (0, math.inf),
    ),
    Parameter(
        'slew_rate', 'double_array', [],
        f'Fastest change of a command, in its SI unit per second: one for all, or one for each action. {_OFF}', '',
        (0, math.inf),
    ),
    Parameter(
        'rate_hz', 'double', 0.0,
        'Commands at this fixed rate, from the newest state; 0 answers each state when it comes.', 'Hz', (0, 10_000),
    ),
    Parameter(
        'command.type', 'string', 'Float64MultiArray', 'Message type of the command, by its short or full name.',
        choices=tuple(COMMAND_TYPES), canonical=lambda kind: canonical_type(kind, COMMAND_TYPES),
    ),
    Parameter(
        'command.interface', 'string', '', 'Meaning of the commands; empty reads it from the action names.',
        choices=('', 'position', 'velocity', 'effort'),
    ),
    Parameter(
        'command.fields', 'string_array', [],
        "Where each action of the policy goes: the joint of a JointState or JointTrajectory, linear.x ... angular.z of"
        ' a Twist, the index in a Float64MultiArray. Empty goes by the action names.',
    ),
    Parameter(
        'command.scale', 'double_array', [],
        "SI value of one unit of each of the policy's actions, not 0; empty is what the policy file says.",
    ),
    Parameter(
        'command.offset', 'double_array', [],
        "SI value of each of the policy's actions at zero; empty is what the policy file says.",
    ),
    Parameter(
        'command.si_confirmed', 'bool', False,
        'The robot takes SI units, without a factor added by hand. A policy file of version 1 with a unit like 100 N'
        ' is armed only with it, and one whose actions have no meaning, as action_0, where the command goes to a joint'
        " controller's commands topic as a Float64MultiArray.",
    ),
    Parameter(
        'control_period_confirmed', 'bool', False,
        "The policy's control period is that of the robot. A policy whose period was assumed is armed only with it.",
    ),
    Parameter('command.frame_id', 'string', '', "Frame of the command's header, where it has one."),
    Parameter(
        'observation.sources', 'string_array', [],
        'Names of the sources of observations; the first is the trigger. Empty reads joint_states when every name of'
        ' the policy is a joint signal, else observation.',
        read_only='the parameters of each source are declared at the start.',
    ),
    Parameter(
        'observation.fields', 'string_array', [],
        '<source>:<field> for each observation of the policy: <joint>/<interface> of joint states, the index in a'
        ' Float64MultiArray, else the path of a number in the message, such as ranges[0]; a slice, ranges[0:360], is as'
        ' many observations as it has entries, and min(ranges[0:45]), max, mean are one. Empty goes by the names of the'
        ' policy.',
    ),
    Parameter('observation.scale', 'double_array', [], 'Factor of each observation, or of each field; empty is 1.'),
    Parameter('observation.offset', 'double_array', [], 'Added to each observation after scaling; empty is 0.'),
    Parameter(
        'observation.transform', 'string_array', [],
        'Taken of each observation last; unwrap lets an angle go on where its driver wraps it. Empty is none.',
        choices=TRANSFORMS,
    ),
    Parameter(
        'observation.nonfinite', 'string_array', [],
        'What stands for a value that is not finite, for each field or one for all: a number, a number of the same'
        " message by its name, such as range_max, or refuse. Empty is refuse, but in the ranges of LaserScan and Range"
        ' inf is range_max and -inf is range_min.',
        lenient=True,
    ),
)  # fmt: skip


def needs_configure(name: str) -> bool:
    """Whether a parameter is read when the node is configured, so that a change would not reach a running policy."""
    return name in ('engine', 'follow_trainer') or (
        name.startswith(('command.', 'observation.')) and not name.endswith(('.max_age_s', '.si_confirmed'))
    )


def source_parameters(name: str) -> tuple[Parameter, ...]:
    """Return the parameters of one source of observations."""
    default = {source.name: source for source in DEFAULT_SOURCES}.get(name, Source(name, name, ''))
    return (
        Parameter(f'observation.{name}.topic', 'string', default.topic, "The source's topic."),
        Parameter(
            f'observation.{name}.type', 'string', default.type,
            'Its message type: JointState, Imu, Odometry, Twist, TwistStamped, Float64MultiArray, or any other that is'
            ' installed, as Range, sensor_msgs/Range or sensor_msgs/msg/Range.',
            canonical=lambda kind: canonical_type(kind, readers.TYPES) if kind else '',
        ),
        Parameter(
            f'observation.{name}.max_age_s', 'double', -1.0,
            f"How far from the trigger's stamp its newest value may be; -1 is max_state_age_s. {_OFF}", 's',
            (-1, math.inf),
        ),
        Parameter(
            f'observation.{name}.missing', 'double_array', [],
            'What is read of it while nothing came or it is too old, one for all or one each; empty commands nothing.',
        ),
        Parameter(
            f'observation.{name}.frame_id', 'string', '',
            "Frame that its messages' headers must name; empty compares positions with those of the other sources.",
        ),
    )  # fmt: skip


# What the docs show: each source has parameters of its own.
DOCUMENTED = (*PARAMETERS, *source_parameters('<source>'))


def parameters(sources: Sequence[str] | None) -> tuple[Parameter, ...]:
    """Return all parameters of a node with these sources; those of the default sources are always there."""
    names = dict.fromkeys((*(source.name for source in DEFAULT_SOURCES), *(sources or ())))
    return (*PARAMETERS, *(row for name in names for row in source_parameters(name)))


def settings_of(values: Values) -> Settings:
    """
    Return the controller's settings.

    Raises:
        ConfigError: a time is negative and not -1, or the command's type and meaning contradict each other.
    """
    for name, value in values.items():
        if name.endswith('.max_age_s') and -1 < value < 0:
            raise ConfigError(f"'{name}' is {value:g} s; give a time, 0 to switch it off, or -1 for max_state_age_s.")
    return Settings(
        max_state_age_s=values['max_state_age_s'],
        watchdog_timeout_s=values['watchdog_timeout_s'],
        max_gap_s=values['max_gap_s'],
        auto_recover=values['auto_recover'],
        fallback=values['fallback'],
        fallback_pose=tuple(values['fallback_pose']),
        interface=interface_of(values['command.type'], values['command.interface'], values['command.fields']),
        ramp_s=values['ramp_s'],
        slew_rate=tuple(values['slew_rate']),
        scale=tuple(values['command.scale']),
        offset=tuple(values['command.offset']),
    )


def open_confirmations(values: Values, file: PolicyFile, safety: Safety, topic: str = '') -> list[str]:
    """
    Return what must be confirmed before this policy may be armed, one sentence each.

    Args:
        values: the node's parameters.
        file: the policy.
        safety: its limits.
        topic: where the commands go.
    """
    spec, sentences = file.spec, []
    if file.converted_units and not values['command.si_confirmed']:
        was = ', '.join(
            f"'{name}' was sent as at most {high:g}, in units of {old}, and is now sent as at most {most:g} {unit}"
            for name, old, unit, high, (_, most) in zip(
                spec.action_names, file.converted_units, spec.action_units, spec.action_high, safety.bounds, strict=True
            )
            if old != unit
        )
        sentences.append(
            f'commands are now in SI units and the policy file is of version 1: {was}. Remove a factor that was added '
            "by hand, then set 'command.si_confirmed' to true"
        )
    unknown = [
        name
        for name, unit in zip(spec.action_names, spec.action_units, strict=True)
        if not unit and _NO_MEANING.fullmatch(name)
    ]
    mapped = values['command.type'] != 'Float64MultiArray' or values['command.fields']
    # ros2_control's forward_command_controller and its kin subscribe to ~/commands: joint commands, in SI units.
    if unknown and not mapped and topic.endswith('/commands') and not values['command.si_confirmed']:
        does = 'do' if len(unknown) > 1 else 'does'
        sentences.append(
            f"the policy's {', '.join(unknown)} {does} not say what '{topic}' gets, a topic of joint controllers: the "
            "training environment did not show it. Give 'command.scale' and 'command.offset' if it does not take "
            "the policy's own numbers, then set 'command.si_confirmed' to true"
        )
    if spec.control_period_assumed and not values['control_period_confirmed']:
        sentences.append(
            f"the policy's control period of {spec.control_period:g} s was assumed in training. If the robot's states "
            "come with this period, set 'control_period_confirmed' to true; else train again with the robot's"
        )
    return sentences


def check_times(values: Values, safety: Safety) -> None:
    """
    Check what depends on several parameters, or on the policy.

    Raises:
        ConfigError: the fixed rate is too slow for the watchdog.
    """
    rate, timeout = values['rate_hz'], safety.watchdog_timeout
    if rate and 1 / rate >= timeout:
        raise ConfigError(
            f"'rate_hz' is {rate:g} Hz, a tick every {1 / rate:.3g} s, and 'watchdog_timeout_s' comes to "
            f'{timeout:g} s: the watchdog would fire between two ticks. Raise one of them, or switch the watchdog off '
            'with 0.'
        )


def observation_of(values: Values) -> ObservationSettings:
    """
    Return what is to be observed.

    Raises:
        ConfigError: a source has no type.
    """
    joints, vector = (_source(source.name, values) for source in DEFAULT_SOURCES)
    return ObservationSettings(
        sources=tuple(_source(name, values) for name in values['observation.sources']),
        defaults=(joints, vector),
        fields=tuple(values['observation.fields']),
        scale=tuple(values['observation.scale']),
        offset=tuple(values['observation.offset']),
        transform=tuple(values['observation.transform']),
        nonfinite=tuple(values['observation.nonfinite']),
    )


def max_age(source: Source, values: Values, max_state_age: float) -> float:
    """Return how far from the trigger's stamp a source's value may be [s]; ``inf`` for no limit."""
    age: float = values[f'observation.{source.name}.max_age_s']
    return max_state_age if age == -1 else age or math.inf


def _source(name: str, values: Values) -> Source:
    topic, kind = (values[f'observation.{name}.{what}'] for what in ('topic', 'type'))
    if not kind:
        raise ConfigError(f"'observation.{name}.type' is empty; say what comes on '{topic}', for example Imu.")
    missing, frame = (values[f'observation.{name}.{what}'] for what in ('missing', 'frame_id'))
    return Source(name, topic, kind, tuple(missing), frame)
