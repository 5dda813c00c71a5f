"""The parameters of policy_node; ``settings_of_parameters.py`` makes the controller's settings from them."""

import math
from collections.abc import Sequence

from velora_ros.contract.sources import DEFAULT_SOURCES
from velora_ros.nodes.policy.decoding import reader_registry
from velora_ros.nodes.policy.parameters_with_contract import ONE_PER_PERIOD
from velora_ros.nodes.policy.writer_registry import command_type
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import canonical_type
from velora_ros.nodes.ros.parameter import Parameter
from velora_ros.policy.engine_protocol import ENGINES
from velora_ros.spec.robot_contract import TRANSFORMS, Source

PARAMETERS = (
    Parameter(
        'policy', 'string', '',
        'Path of the policy file or of an ONNX model (docs/bring-your-policy.md), or the name of a shipped policy.',
    ),
    Parameter(
        'policy_dirs', 'string_array', [],
        'Folders from which other policies may be loaded, in addition to the folder of the first policy and the '
        'folder of the shipped policies.',
        read_only='it restricts which files can be loaded.',
    ),
    Parameter(
        'follow_trainer', 'bool', False,
        'Load each policy whose path arrives on policy_update; with autostart, if policy is empty, wait for the first '
        'one.',
    ),
    Parameter(
        'engine', 'string', 'auto',
        'The engine that runs the policy; auto means numba if it is installed, and onnxruntime for an ONNX model.',
        choices=ENGINES,
    ),
    Parameter(
        'autostart', 'bool', False,
        'Configure and activate the node when it starts; otherwise, a lifecycle manager must do so.',
        read_only='it has an effect only at the start; use the lifecycle services.',
    ),
    Parameter('arm_on_activate', 'bool', False, 'Send commands as soon as the node is active, without ~/arm.'),
    Parameter('auto_recover', 'bool', False, 'Clear a fault when a usable state arrives, but not an emergency stop.'),
    Parameter(
        'max_state_age_s', 'double', -1.0,
        'Largest age of a state that gets a command; -1 means 3 T, and 0 means no limit.',
        's', (-1, math.inf),
    ),
    Parameter(
        'watchdog_timeout_s', 'double', -1.0,
        'Time without a usable state after which a fault is latched; -1 means 10 T, and 0 means never.',
        's', (-1, math.inf),
    ),
    Parameter(
        'max_gap_s', 'double', -1.0,
        'Gap between two states after which the hidden state is reset; -1 means 10 T, and 0 means never.',
        's', (-1, math.inf),
    ),
    Parameter(
        'fallback', 'string', 'auto',
        'Command that is sent on a fault and when the node ends. auto holds positions and servos, and sets velocities, '
        'efforts and unknown actions to zero; damp sets the stiffness to zero, if command.layout contains it.',
        choices=('auto', 'zero', 'hold', 'pose', 'none', 'damp'),
    ),
    Parameter(
        'fallback_pose', 'double_array', [],
        "The command of the fallback 'pose', in the order of the actions and in SI units."
    ),
    Parameter(
        'ramp_s', 'double', 0.0,
        "Time after arming during which commands move gradually from the robot's position to the policy's commands; 0 "
        'means no ramp.',
        's', (0, math.inf),
    ),
    Parameter(
        'slew_rate', 'double_array', [],
        'Fastest change of a command, in its SI unit per second: one value for all actions, or one for each; 0 means '
        'no limit.',
        '',
        (0, math.inf),
    ),
    Parameter(
        'rate_hz', 'double', ONE_PER_PERIOD,
        'Fixed rate of commands, each computed from the newest state. With 0, each state gets a command. With -1, the '
        'policy steps once per period, on the state nearest in time; if the policy file has no contract, each state '
        'gets a command.',
        'Hz', (-1, 10_000),
    ),
    Parameter(
        'command.interpolate', 'double', 0.0,
        'Rate of interpolated commands, which move linearly to each new command of the policy over one period T, and '
        'so lag behind the policy by up to T. For slow policies of 10 to 50 Hz; not for a JointTrajectory, and not '
        'with rate_hz. 0 means no interpolation.',
        'Hz', (0, 2_000),
    ),
    Parameter(
        'command.type', 'string', '',
        f'Message type of the command, as a short or full name: {", ".join(COMMAND_TYPES)}, or a type for which an '
        "installed package has a writer. If empty, the policy file's value, or else Float64MultiArray.",
        canonical=command_type,
    ),
    Parameter(
        'command.interface', 'string', '',
        'Meaning of the commands; if empty, it follows from the names of the actions.',
        choices=('', 'position', 'velocity', 'effort'),
    ),
    Parameter(
        'command.fields', 'string_array', [],
        'The place of each action of the policy in the message: the joint of a JointState or JointTrajectory, '
        'linear.x ... angular.z of a Twist, or the index in a Float64MultiArray. If empty, the places follow from the '
        'names of the actions.',
    ),
    Parameter(
        'command.layout', 'string_array', [],
        'Blocks of a Float64MultiArray, each with one number for each action: position, velocity, effort, stiffness, '
        'damping. Stiffness and damping come from the policy file. If empty, the message has only the commands.',
    ),
    Parameter(
        'command.velocities', 'bool', False,
        'Send a JointTrajectory with velocities: the first point has the velocities of the motion since the last '
        'command; at the second point, one period later, the joints are at rest. For controllers that use velocities.',
    ),
    Parameter(
        'command.scale', 'double_array', [],
        "SI value of one unit of each of the policy's actions, not 0; if empty, the policy file's value.",
    ),
    Parameter(
        'command.offset', 'double_array', [],
        "SI value of each of the policy's actions at zero; if empty, the policy file's value.",
    ),
    Parameter(
        'command.si_confirmed', 'bool', False,
        'Confirms that the robot expects SI units, without a factor added by hand. Required to arm a policy file of '
        'version 1 with a unit such as 100 N, and to send actions without a meaning, such as action_0, as a '
        "Float64MultiArray to the topic ~/commands of a joint controller.",
    ),
    Parameter(
        'gains_confirmed', 'bool', False,
        "Confirms that the robot's position servos have about the stiffness and damping in the policy file. Required "
        "to arm a policy that sends position targets and whose file has these values.",
    ),
    Parameter(
        'start_pose_speed', 'double', 0.5,
        'Speed at which arming moves the joints to the start pose of the policy file [rad/s or m/s]. With 0, the '
        'policy takes over at the current positions.', '', (0, math.inf),
    ),
    Parameter(
        'start_when_ready', 'bool', False,
        'The policy takes over by itself when the start pose is reached, without a call to ~/start.',
    ),
    Parameter(
        'max_tilt', 'double', 0.0, 'With a contract, a larger tilt of the robot latches a fault; 0 means no limit.',
        'rad',
        (0, math.pi),
    ),
    Parameter(
        'max_joint_speed', 'double', 0.0,
        'With a contract, a higher speed of a joint [rad/s or m/s] latches a fault; 0 means no limit.', '',
        (0, math.inf),
    ),
    Parameter(
        'max_deviation', 'double', 0.0,
        'With a contract, an observation that is more than this number of standard deviations from its mean in '
        'training latches a fault; 0 means no limit.', '', (0, math.inf),
    ),
    Parameter(
        'control_period_confirmed', 'bool', False,
        "Confirms that the policy's control period is that of the robot's states. Required to arm a policy whose "
        'period was assumed.',
    ),
    Parameter('command.frame_id', 'string', '', "Frame in the command's header, if it has one."),
    Parameter(
        'observation.sources', 'string_array', [],
        'Names of the sources of observations; each message of the first one triggers a command. If empty, the policy '
        "file's value, or else joint_states if every observation of the policy is a joint signal, and observation if "
        'not.',
        read_only='the parameters of each source are declared at the start.',
    ),
    Parameter(
        'observation.fields', 'string_array', [],
        '<source>:<field> for each observation of the policy. A field is <joint>/<interface> in joint states, the '
        'index in a Float64MultiArray, and otherwise the path to a number in the message, such as ranges[0]. A slice, '
        'ranges[0:360], gives one observation for each of its elements; min(ranges[0:45]), max and mean give one '
        'observation. If empty, the fields come from the policy file, or follow from the names of the observations.',
    ),
    Parameter(
        'observation.scale', 'double_array', [],
        "Factor of each observation, or of each field; if empty, the policy file's value, or else 1.",
    ),
    Parameter(
        'observation.offset', 'double_array', [],
        "Added to each observation after scaling; if empty, the policy file's value, or else 0.",
    ),
    Parameter(
        'observation.transform', 'string_array', [],
        "Function applied to each observation after the offset; unwrap makes a wrapped angle continuous. If empty, the "
        "policy file's value, or else none.",
        choices=TRANSFORMS,
    ),
    Parameter(
        'observation.nonfinite', 'string_array', [],
        'Replacement for values that are not finite, one for all fields or one for each: a number, the name of a '
        'number in the same message, such as range_max, or refuse. If empty, refuse; but in the ranges of LaserScan '
        'and Range, inf is then read as range_max and -inf as range_min.',
        lenient=True,
    ),
)  # fmt: skip


def needs_configure(name: str) -> bool:
    """Return whether a parameter is read when the node is configured, so that it can change only after a cleanup."""
    return name in ('engine', 'follow_trainer') or (
        name.startswith(('command.', 'observation.')) and not name.endswith(('.max_age_s', '.si_confirmed'))
    )


def source_parameters(name: str) -> tuple[Parameter, ...]:
    """Return the parameters of one source of observations."""
    default = {source.name: source for source in DEFAULT_SOURCES}.get(name, Source(name, '', ''))
    return (
        Parameter(
            f'observation.{name}.topic', 'string', default.topic,
            "The source's topic; if empty, the policy file's value, or else the source's name.",
        ),
        Parameter(
            f'observation.{name}.type', 'string', default.type,
            "The source's message type: JointState, Imu, Odometry, Twist, TwistStamped, Float64MultiArray, or any "
            'other that is installed, such as Range, sensor_msgs/Range or sensor_msgs/msg/Range; or LastAction or '
            "GaitClock, which the node computes itself. If empty, the policy file's value.",
            canonical=lambda kind: canonical_type(kind, reader_registry.TYPES) if kind else '',
        ),
        Parameter(
            f'observation.{name}.max_age_s', 'double', -1.0,
            "Longest time between the source's newest value and the trigger's stamp; -1 means the policy file's "
            'value, or else max_state_age_s, and 0 means no limit.', 's', (-1, math.inf),
        ),
        Parameter(
            f'observation.{name}.missing', 'double_array', [],
            "Values used before the source's first message and while its newest message is too old: one for all "
            'fields or one for each. If empty, no command is sent during these times.',
        ),
        Parameter(
            f'observation.{name}.frame_id', 'string', '',
            "Frame that the source's messages must have; if empty, all sources with positions must have the same "
            'frame.',
        ),
        Parameter(
            f'observation.{name}.low', 'double_array', [],
            'Lower limits to which values are clipped, one for all fields or one for each. If empty, the lower limits '
            'in the policy file, which are the limits of training, or else none.',
        ),
        Parameter(
            f'observation.{name}.high', 'double_array', [],
            "Upper limits to which the source's values are clipped, as for low.",
        ),
        Parameter(
            f'observation.{name}.mounting_rpy', 'double_array', [],
            "Roll, pitch and yaw of an Imu in the base's frame [rad]; the vectors of its messages are rotated into "
            'that frame.',
        ),
        Parameter(
            f'observation.{name}.zero_means_no_return', 'bool', False,
            'Set this to true if the driver sends a range of 0 in a LaserScan when nothing is within range.',
        ),
        Parameter(
            f'observation.{name}.period_s', 'double', 0.0, 'Duration of a stride of a GaitClock.', 's', (0, math.inf)
        ),
        Parameter(
            f'observation.{name}.phase', 'double', 0.0, 'Phase of a GaitClock at the start, as a share of a stride.'
        ),
        Parameter(
            f'observation.{name}.moves_with', 'string', '',
            'Source whose command drives a GaitClock: its sine and cosine are zero while this command is zero.',
        ),
        Parameter(
            f'observation.{name}.moves_above', 'double', 0.0,
            'The command of a GaitClock counts as zero if the magnitude of no entry is above this value.',
            '', (0, math.inf),
        ),
    )  # fmt: skip


# The parameters as the docs list them, with those of one source.
DOCUMENTED = (*PARAMETERS, *source_parameters('<source>'))


def parameters(sources: Sequence[str] | None) -> tuple[Parameter, ...]:
    """Return all parameters of a node with the given sources; parameters of the default sources always exist."""
    names = dict.fromkeys((*(source.name for source in DEFAULT_SOURCES), *(sources or ())))
    return (*PARAMETERS, *(row for name in names for row in source_parameters(name)))
