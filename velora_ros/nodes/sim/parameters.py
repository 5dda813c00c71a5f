"""The parameters of sim_node."""

import dataclasses
import math
from typing import Any

from velora_ros.gym.disturbances.settings import FaultSettings
from velora_ros.nodes.policy.encoders import TYPES
from velora_ros.nodes.ros.message_types import canonical_type
from velora_ros.nodes.ros.parameters import Parameter, Values

OWNER = 'sim_node'
"""The node's name in the table of topics, whatever a running one is called."""

_AT_START = 'the robot is made at the start; start the node again.'
_SEEDS = 2**32 - 1

AUTO = 'auto'
# policy_node's parameters of commands that mean nothing here; a file for all nodes may have them.
SHARED = ('command.scale', 'command.offset', 'command.si_confirmed', 'command.frame_id')

PARAMETERS = (
    Parameter(
        'env', 'string', 'InvertedPendulum-v5',
        'Gymnasium id of a MuJoCo environment, or the path of an MJCF file, *.xml.',
        read_only=_AT_START,
    ),
    Parameter(
        'control_period_s', 'double', 0.0,
        'Control period of an MJCF file, 0 is 0.02 s; a gymnasium environment has its own.', 's', (0, 10),
        read_only=_AT_START,
    ),
    Parameter(
        'seed', 'integer', 0, 'Seed of the initial states and of the faults.', range=(0, _SEEDS), read_only=_AT_START
    ),
    Parameter(
        'time_limit', 'bool', False, 'Whether the time limit of the environment ends an episode.', read_only=_AT_START
    ),
    Parameter(
        'physics_step_s', 'double', 0.002,
        "Largest physics step; a larger one of the environment is divided, 0 leaves it alone.", 's', (0, 1),
        read_only=_AT_START,
    ),
    Parameter(
        'hold_until_command', 'bool', True,
        'After the start and each reset, hold the robot at its initial state until the first command.',
    ),
    Parameter(
        'command_timeout_s', 'double', -1.0,
        'Without a command for so long, zero is applied and position servos keep their target; -1 is ten '
        'control periods, 0 never does.', 's', (-1, math.inf),
    ),
    Parameter(
        'command.type', 'string', AUTO, 'Message type of the command; auto takes the type that is published.',
        choices=(AUTO, *TYPES), canonical=lambda kind: canonical_type(kind, TYPES), read_only=_AT_START,
    ),
    Parameter(
        'command.interface', 'string', '', 'Meaning of the commands of joints; empty reads it from the action names.',
        choices=('', 'position', 'velocity', 'effort'), read_only=_AT_START,
    ),
    Parameter(
        'command.fields', 'string_array', [],
        "As at policy_node: the joint of each action in a JointState or JointTrajectory, linear.x ... angular.z of a"
        ' Twist. Empty goes by the action names. A Float64MultiArray is always in the order of the actions.',
        read_only=_AT_START,
    ),
    Parameter(
        'real_time_factor', 'double', 1.0,
        'Simulated time in a second; other than 1 it needs publish_clock here and use_sim_time at the other nodes.',
        's/s', (0.01, 100),
    ),
    Parameter(
        'publish_clock', 'bool', False,
        'Publish /clock at every physics step, for nodes with use_sim_time; unset it is what use_sim_time is here.',
        read_only='others may rely on the clock.',
    ),
    Parameter(
        'duration_s', 'double', 0.0,
        'Simulated time, held time left out, after which the run ends and is judged; 0 runs on.', 's', (0, math.inf),
    ),
    Parameter(
        'learning', 'bool', False,
        'The controller learns meanwhile: only falls of the last minute count against the run.',
    ),
    Parameter(
        'status_line', 'bool', True,
        'Log time, return, command rate, latency and input age once a second.',
    ),
    Parameter(
        'summary_line', 'bool', False,
        'Print the summary of the run in JSON as the last line of standard output; the launch files set it.',
    ),
    Parameter(
        'controller', 'string', 'policy_node',
        'Name of the node that commands; its diagnostics tell the fallbacks, the input age and the policy.',
        read_only='the run counts its commands.',
    ),
    Parameter(
        'odom_frame_id', 'string', 'odom', "Frame of a floating base's pose in odom: the simulated world.",
        read_only=_AT_START,
    ),
    Parameter(
        'base_frame_id', 'string', 'base_link', "Frame of a floating base itself, and of its velocity in odom.",
        read_only=_AT_START,
    ),
    Parameter(
        'imu_frame_id', 'string', 'base_link', "Frame of imu/data; it lies in the floating base's origin and axes.",
        read_only=_AT_START,
    ),
    Parameter(
        'faults.noise', 'double_array', [],
        'Deviation of Gaussian noise, in standard deviations of each signal under random commands: 0.01 is 1 %; '
        'one number for all, or one for each observation.', '', (0, 100),
    ),
    Parameter(
        'faults.observation_delay_s', 'double', 0.0,
        'How late states are published; their stamps stay those of the measurement.', 's', (0, 10),
    ),
    Parameter('faults.command_delay_s', 'double', 0.0, 'How late commands take effect.', 's', (0, 10)),
    Parameter(
        'faults.drop_probability', 'double', 0.0, 'Chance that a state is not published, for each on its own.', '',
        (0, 1),
    ),
    Parameter(
        'faults.jitter_s', 'double', 0.0,
        'Each control period is up to this much longer or shorter, drawn evenly; in whole physics steps, rounded up.',
        's', (0, 10),
    ),
    Parameter(
        'faults.stuck', 'string_array', [],
        'Observations by name, or joints with all of theirs, that keep the value that they have now.',
    ),
    Parameter(
        'faults.nan', 'string_array', [], 'Observations by name, or joints with all of theirs, that read NaN.',
    ),
    Parameter('faults.nan_probability', 'double', 1.0, 'Chance that faults.nan strikes in a state.', '', (0, 1)),
    Parameter(
        'faults.frozen', 'bool', False,
        'Publish the last state again and again, old stamp included, as a hung driver does.',
    ),
    Parameter(
        'image.rate_hz', 'double', 0.0,
        'Pictures a second on ~/image, drawn only when somebody subscribes; 0 offers none.', 'Hz', (0, 100),
        read_only=_AT_START,
    ),
    Parameter('image.width', 'integer', 320, 'Width of the picture.', 'px', (16, 4096), read_only=_AT_START),
    Parameter('image.height', 'integer', 240, 'Height of the picture.', 'px', (16, 4096), read_only=_AT_START),
    Parameter(
        'image.camera', 'string', '', "Name of a camera of the model; empty is the environment's own view.",
        read_only=_AT_START,
    ),
)  # fmt: skip


def parameters(*, use_sim_time: bool) -> tuple[Parameter, ...]:
    """
    Return the table of a node.

    Args:
        use_sim_time: whether the node was started to live by ``/clock``: then it is the one that publishes it.
    """
    return tuple(
        dataclasses.replace(row, default=use_sim_time) if row.name == 'publish_clock' else row for row in PARAMETERS
    )


def fault_settings(values: Values) -> FaultSettings:
    """
    Return what the ``faults.*`` parameters say.

    Raises:
        ConfigError: they do not fit together.
    """
    given: dict[str, Any] = {field.name: values[f'faults.{field.name}'] for field in dataclasses.fields(FaultSettings)}
    return FaultSettings(**given)
