"""The parameters of view_node."""

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.parameter import Parameter, Values

OWNER = 'view_node'
"""The node's name in the table of topics and services; a running node may have another name."""

_AT_START = 'the page is created at the start; start the node again.'
_PORTS = 65_535

PARAMETERS = (
    Parameter(
        'model', 'string', '',
        'The robot to show: the name of a task, an MJCF or URDF file, or the Gymnasium id of a MuJoCo environment. '
        "If empty, wait for robot_description. The launch files set sim_node's robot.",
        read_only=_AT_START,
    ),
    Parameter(
        'host', 'string', '127.0.0.1',
        'Address at which the page is served. 127.0.0.1 serves this machine only; with 0.0.0.0 anyone on the network '
        'can drive the robot.', read_only=_AT_START,
    ),
    Parameter('port', 'integer', 8080, 'TCP port of the page.', range=(1, _PORTS), read_only=_AT_START),
    Parameter('rate_hz', 'double', 30.0, 'Maximum number of pictures per second.', 'Hz', (1, 30)),
    Parameter(
        'controller', 'string', 'policy_node', 'Name of the node that sends commands; the page shows and arms it.',
        read_only=_AT_START,
    ),
    Parameter(
        'simulator', 'string', 'sim_node',
        'Name of the simulating node; the page pauses and resets it, and pushes its robot.',
        read_only=_AT_START,
    ),
    Parameter(
        'cmd_vel.x', 'double_array', [],
        'Lowest and highest forward speed of the slider; if empty, as in the task, or else -0.5 and 0.5.', 'm/s',
        (-100, 100), read_only=_AT_START,
    ),
    Parameter(
        'cmd_vel.y', 'double_array', [],
        'Lowest and highest sideways speed of the slider, to the left; if empty, as in the task, or else -0.5 and '
        '0.5.', 'm/s', (-100, 100),
        read_only=_AT_START,
    ),
    Parameter(
        'cmd_vel.yaw', 'double_array', [],
        'Lowest and highest turning speed of the slider, about the vertical; if empty, as in the task, or else -1 '
        'and 1.', 'rad/s', (-100, 100),
        read_only=_AT_START,
    ),
    Parameter(
        'goal_frame_id', 'string', '',
        'Frame of the goals that are dragged on the page; if empty, the frame of odom, or else base_link.',
        read_only=_AT_START,
    ),
)  # fmt: skip

AXES = ('x', 'y', 'yaw')
Ranges = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

DEFAULT_RANGES: Ranges = ((-0.5, 0.5), (-0.5, 0.5), (-1.0, 1.0))


def slider_ranges(values: Values, of_task: Ranges | None) -> Ranges:
    """
    Return the lowest and highest speed of each slider: from the parameters, else from the task, else the default.

    Raises:
        ConfigError: a parameter is not a pair of numbers with 0 between them.
    """
    x, y, yaw = (_range(values, axis, usual) for axis, usual in zip(AXES, of_task or DEFAULT_RANGES, strict=True))
    return x, y, yaw


def _range(values: Values, axis: str, usual: tuple[float, float]) -> tuple[float, float]:
    given = list(values[f'cmd_vel.{axis}']) or list(usual)
    if len(given) != 2 or not given[0] <= 0 <= given[1]:
        raise ConfigError(
            f"parameter 'cmd_vel.{axis}' is {given}; give the lowest and the highest speed, with 0 between them, for "
            'example [-0.5, 0.5].'
        )
    return given[0], given[1]
