"""The parameters of policy_node, and what the controller needs of them."""

import math

from velora_ros.control import Settings
from velora_ros.nodes.parameters import Parameter, Values
from velora_ros.policy.engines import ENGINES

_OFF = '0 switches it off.'

PARAMETERS = (
    Parameter('policy', 'string', '', 'Path of the policy file, or the name of a shipped one.'),
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
        'Command on a fault and at the end; auto holds positions and zeroes velocities, efforts and the unknown.',
        choices=('auto', 'zero', 'hold', 'pose', 'none'),
    ),
    Parameter('fallback_pose', 'double_array', [], "The command of the fallback 'pose', in action order and units."),
    Parameter(
        'command.type', 'string', 'Float64MultiArray', 'Message type of the command.', choices=('Float64MultiArray',)
    ),
    Parameter(
        'command.interface', 'string', '', 'Meaning of the commands; empty reads it from the action names.',
        choices=('', 'position', 'velocity', 'effort'),
    ),
    Parameter(
        'observation.fields', 'string_array', [],
        "joints:<joint>/<interface> for each observation of the policy, where the robot's joints are named otherwise.",
    ),
)  # fmt: skip

# Read when the node is configured; changing them under a running policy would not reach it.
AT_CONFIGURE = ('policy', 'engine', 'command.type', 'command.interface', 'observation.fields')


def settings_of(values: Values) -> Settings:
    """
    Return the controller's settings.

    Raises:
        ConfigError: a time is negative and not -1.
    """
    return Settings(
        max_state_age_s=values['max_state_age_s'],
        watchdog_timeout_s=values['watchdog_timeout_s'],
        max_gap_s=values['max_gap_s'],
        auto_recover=values['auto_recover'],
        fallback=values['fallback'],
        fallback_pose=tuple(values['fallback_pose']),
        interface=values['command.interface'],
    )
