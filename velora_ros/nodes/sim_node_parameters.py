"""The parameters of sim_node."""

import math

from velora_ros.nodes.parameters import Parameter

_AT_START = 'the robot is made at the start; start the node again.'
_SEEDS = 2**32 - 1

PARAMETERS = (
    Parameter('env', 'string', 'InvertedPendulum-v5', 'Gymnasium id of the MuJoCo environment.', read_only=_AT_START),
    Parameter('seed', 'integer', 0, 'Seed of the initial states.', range=(0, _SEEDS), read_only=_AT_START),
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
        'Without a command for so long, zero is applied; -1 is ten control periods, 0 never does.', 's', (-1, math.inf),
    ),
    Parameter(
        'publish_clock', 'bool', False, 'Publish /clock at every physics step, for nodes with use_sim_time.',
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
        'Print time, return, command rate, latency and input age once a second.',
    ),
    Parameter(
        'controller', 'string', 'policy_node',
        'Name of the node that commands; its diagnostics tell the fallbacks, the input age and the policy.',
        read_only='the run counts its commands.',
    ),
)  # fmt: skip
