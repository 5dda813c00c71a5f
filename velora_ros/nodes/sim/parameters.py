"""The parameters of sim_node: their table, and the checks of parameters that depend on each other."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from velora_ros.errors import ConfigError
from velora_ros.gym.disturbances.disturbance_settings import FaultSettings
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import canonical_type
from velora_ros.nodes.ros.parameter import Kind, Parameter, Values
from velora_ros.nodes.sim import message_faults
from velora_ros.tasks.lying_start import STANDING, STARTS

OWNER = 'sim_node'
"""The node's name in the table of topics and services; a running node may have another name."""

_AT_START = 'the robot is created at the start; start the node again.'
_SEEDS = 2**32 - 1

AUTO = 'auto'
TWIST_TYPES = {'Twist': COMMAND_TYPES['Twist'], 'TwistStamped': COMMAND_TYPES['TwistStamped']}
"""The message types that ``cmd_vel`` can have."""
# Parameters of policy_node that have no meaning here; one parameter file for all nodes may set them.
SHARED = (
    'command.scale', 'command.offset', 'command.si_confirmed', 'command.frame_id', 'command.velocities',
    'command.interpolate',
)  # fmt: skip

_TYPES: dict[Any, Kind] = {
    float: 'double', bool: 'bool', Sequence[float]: 'double_array', Sequence[str]: 'string_array',
}  # fmt: skip


def _fault_parameter(setting: 'dataclasses.Field[Any]') -> Parameter:
    """Return the parameter of one of the :class:`FaultSettings`."""
    kind, limits = _TYPES[setting.type], setting.metadata
    default: Any = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    valid = (limits['low'], limits['high']) if kind.startswith('double') else None
    return Parameter(f'faults.{setting.name}', kind, default, limits['help'], limits['unit'], valid)


PARAMETERS = (
    Parameter(
        'env', 'string', 'InvertedPendulum-v5',
        'Gymnasium id of a MuJoCo environment, or the path of a robot file (MJCF or URDF).', read_only=_AT_START
    ),
    Parameter(
        'task', 'string', '',
        'A task whose robot is simulated instead of env: quadruped, arm, rover, my_robot.py:WALK or module:WALK.',
        read_only=_AT_START,
    ),
    Parameter(
        'start', 'string', STANDING,
        "Initial state of a task's robot: standing, lying or on_its_side. Falls count only after the robot has stood "
        'up.',
        choices=STARTS, read_only=_AT_START,
    ),
    Parameter(
        'randomise', 'bool', False,
        "Vary the physics of a task's robot from episode to episode as in training, push the robot and delay its "
        "commands; a change takes effect at the next reset.",
    ),
    Parameter(
        'drive', 'bool', False,
        "Publish a pattern of cmd_vel, or goals, for a task's robot while no other node publishes them.",
        read_only=_AT_START,
    ),
    Parameter(
        'cmd_vel_type', 'string', 'Twist', 'Message type of cmd_vel.', choices=tuple(TWIST_TYPES), read_only=_AT_START,
    ),
    Parameter(
        'push_speed', 'double', 0.5, 'Change of the horizontal velocity of a floating base by ~/push.',
        'm/s', (0, 10),
    ),
    Parameter(
        'control_period_s', 'double', 0.0,
        'Control period for a robot file; 0 means 0.02 s. A gymnasium environment has its own control period.',
        's', (0, 10), read_only=_AT_START,
    ),
    Parameter(
        'seed', 'integer', 0, 'Seed of the initial states and of the faults.', range=(0, _SEEDS), read_only=_AT_START
    ),
    Parameter(
        'time_limit', 'bool', False, 'End an episode at the time limit of the environment.', read_only=_AT_START
    ),
    Parameter(
        'physics_step_s', 'double', 0.002,
        'Largest physics step. If the step of the environment is larger, it is divided; with 0, it does not change. A '
        'task keeps its own step.',
        's', (0, 1), read_only=_AT_START,
    ),
    Parameter(
        'hold_until_command', 'bool', True,
        'Hold the robot in its initial state until the first command, after the start and after each reset.',
    ),
    Parameter(
        'command_timeout_s', 'double', -1.0,
        'After this time without a command, zero is applied and position servos keep their target. -1 means ten '
        'control periods, and 0 means never.', 's', (-1, math.inf)
    ),
    Parameter(
        'command.type', 'string', AUTO,
        'Message type of the command; auto subscribes to the type that is published.',
        choices=(AUTO, *COMMAND_TYPES), canonical=lambda kind: canonical_type(kind, COMMAND_TYPES), read_only=_AT_START,
    ),
    Parameter(
        'command.interface', 'string', '',
        'The commanded interface of each joint; if empty, it follows from the names of the actions.',
        choices=('', 'position', 'velocity', 'effort'), read_only=_AT_START,
    ),
    Parameter(
        'command.fields', 'string_array', [],
        'As for policy_node: for each action, its joint in a JointState or JointTrajectory, or its field in a Twist, '
        'linear.x to angular.z. If empty, the names of the actions are used. A Float64MultiArray is always in the '
        'order of the actions.', read_only=_AT_START
    ),
    Parameter(
        'command.layout', 'string_array', [],
        'As for policy_node: the blocks of a Float64MultiArray, out of position, velocity, effort, stiffness and '
        'damping. The position servos use the stiffness and the damping; if there is a position, velocity and effort '
        'must be zero. If empty, the message has only the commands.', read_only=_AT_START
    ),
    Parameter(
        'real_time_factor', 'double', 1.0,
        'Simulated seconds per second. A value other than 1 needs publish_clock here and use_sim_time in the other '
        'nodes.', 's/s', (0.01, 100)
    ),
    Parameter(
        'publish_clock', 'bool', False,
        'Publish /clock at every physics step, for nodes with use_sim_time. The default is the value of use_sim_time '
        'of this node.', read_only='other nodes may use the clock.'
    ),
    Parameter(
        'duration_s', 'double', 0.0,
        'Simulated time after which the run ends and is evaluated. The time for which the robot is held does not '
        'count. With 0, the run does not end.',
        's', (0, math.inf),
    ),
    Parameter(
        'learning', 'bool', False,
        'The controller learns during the run, so of its falls, only those in the last minute count.',
    ),
    Parameter('status_line', 'bool', True, 'Log time, return, command rate, latency and input age once a second.'),
    Parameter(
        'summary_line', 'bool', False,
        'Print the summary of the run in JSON as the last line of standard output; the launch files set it.',
    ),
    Parameter(
        'controller', 'string', 'policy_node',
        'Name of the node that sends commands; its diagnostics give the fallbacks, the input age and the policy.',
        read_only='its commands are counted from the start.',
    ),
    Parameter(
        'odom_frame_id', 'string', 'odom',
        "Frame in which odom gives the pose of the floating base: the simulated world.", read_only=_AT_START
    ),
    Parameter(
        'base_frame_id', 'string', 'base_link',
        'Frame of the floating base, in which odom gives its velocity.', read_only=_AT_START
    ),
    Parameter(
        'imu_frame_id', 'string', 'base_link',
        'Frame of imu/data; it has the origin and axes of the floating base.', read_only=_AT_START
    ),
    Parameter(
        'scan_frame_id', 'string', 'laser', "Frame of scan, the frame of a task's laser scanner.", read_only=_AT_START
    ),
    Parameter(
        'frame_prefix', 'string', '',
        "Prefix of the frames of a task's robot in all messages, as for robot_state_publisher.", read_only=_AT_START
    ),
    *(_fault_parameter(item) for item in dataclasses.fields(FaultSettings)),
    *message_faults.PARAMETERS,
    Parameter(
        'image.rate_hz', 'double', 0.0,
        'Images per second on ~/image, drawn only while there is a subscriber; 0 switches the topic off.',
        'Hz', (0, 100), read_only=_AT_START,
    ),
    Parameter('image.width', 'integer', 320, 'Width of the image.', 'px', (16, 4096), read_only=_AT_START),
    Parameter('image.height', 'integer', 240, 'Height of the image.', 'px', (16, 4096), read_only=_AT_START),
    Parameter(
        'image.camera', 'string', '',
        "Name of one of the model's cameras; if empty, the environment's own view.", read_only=_AT_START
    ),
)  # fmt: skip


def parameters(*, use_sim_time: bool) -> tuple[Parameter, ...]:
    """
    Return the table of a node that is starting.

    Args:
        use_sim_time: the node's parameter; it is the default of ``publish_clock``.
    """
    return tuple(
        dataclasses.replace(row, default=use_sim_time) if row.name == 'publish_clock' else row for row in PARAMETERS
    )


def check_times(values: Values) -> None:
    """
    Check ``command_timeout_s`` and ``real_time_factor``.

    Raises:
        ConfigError: a value is invalid, or ``real_time_factor`` needs ``publish_clock``.
    """
    if -1 < values['command_timeout_s'] < 0:
        raise ConfigError(
            f"parameter 'command_timeout_s' is {values['command_timeout_s']} s; it must be at least 0, or -1 for ten "
            'control periods.'
        )
    if values['real_time_factor'] != 1 and not values['publish_clock']:
        raise ConfigError(
            f"parameter 'real_time_factor' is {values['real_time_factor']:g}, so stamps differ from the system clock; "
            'set publish_clock to true here and use_sim_time to true in the other nodes, or the factor to 1.'
        )


def fault_settings(values: Values) -> FaultSettings:
    """
    Return the settings that the ``faults.*`` parameters describe.

    Raises:
        ConfigError: a value is invalid.
    """
    given: dict[str, Any] = {field.name: values[f'faults.{field.name}'] for field in dataclasses.fields(FaultSettings)}
    return FaultSettings(**given)
