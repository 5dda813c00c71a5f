"""The message types of a command, in one table: policy_node encodes them and sim_node decodes them."""

from collections.abc import Sequence

from velora_ros.errors import ConfigError, did_you_mean

COMMAND_TYPES = {
    'Float64MultiArray': 'std_msgs/msg/Float64MultiArray',
    'JointState': 'sensor_msgs/msg/JointState',
    'JointTrajectory': 'trajectory_msgs/msg/JointTrajectory',
    'Twist': 'geometry_msgs/msg/Twist',
    'TwistStamped': 'geometry_msgs/msg/TwistStamped',
}
"""The full name of each type that ``command.type`` can name."""

VECTOR = 'Float64MultiArray'
TWISTS = ('Twist', 'TwistStamped')
TWIST_FIELDS = tuple(f'{part}.{axis}' for part in ('linear', 'angular') for axis in 'xyz')

JOINT_FIELDS = {
    'JointState': {'position': 'position', 'velocity': 'velocity', 'effort': 'effort'},
    'JointTrajectory': {'position': 'positions', 'velocity': 'velocities', 'effort': 'effort'},
}
"""The field that carries each joint interface: of a JointState, or of a point of a JointTrajectory."""

BLOCKS = ('position', 'velocity', 'effort', 'stiffness', 'damping')
"""What the blocks of a Float64MultiArray can carry with ``command.layout``, one number for each action."""
GAINS = ('stiffness', 'damping')
"""The blocks that carry the gains of position servos."""


def check_layout(layout: Sequence[str], interface: str) -> None:
    """
    Check ``command.layout``, the blocks of a Float64MultiArray; ``interface`` is the block of the command itself.

    Raises:
        ConfigError: a block is unknown or given twice, or the block ``interface`` is missing.
    """
    if unknown := [block for block in layout if block not in BLOCKS]:
        raise ConfigError(f"'command.layout' has the unknown block '{unknown[0]}'.{did_you_mean(unknown[0], BLOCKS)}")
    if len(set(layout)) < len(layout) or interface not in layout:
        raise ConfigError(
            f"'command.layout' is {', '.join(layout)}; it must name each block at most once and include '{interface}', "
            'the block of the command itself.'
        )


def check_twist_fields(fields: Sequence[str]) -> None:
    """
    Check the component of a Twist that carries each action, such as ``linear.x``.

    Raises:
        ConfigError: a field is not a component of a Twist.
    """
    for field in fields:
        if field not in TWIST_FIELDS:
            raise ConfigError(
                f"'{field}' is not a component of a Twist; set 'command.fields' to one component for each action."
                f'{did_you_mean(field, TWIST_FIELDS)}'
            )
