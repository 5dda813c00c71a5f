"""Selects the topics of the ROS graph that are recorded."""

from collections.abc import Iterable, Mapping, Sequence

HIDDEN = '/debug/hidden'
"""End of the name of a topic that only a controller (policy_node) publishes."""
# Types that describe a robot and its commands; they are recorded from any publisher.
TYPES = (
    'sensor_msgs/msg/JointState',
    'sensor_msgs/msg/Imu',
    'sensor_msgs/msg/LaserScan',
    'sensor_msgs/msg/Range',
    'nav_msgs/msg/Odometry',
    'geometry_msgs/msg/Twist',
    'geometry_msgs/msg/TwistStamped',
    'geometry_msgs/msg/PoseStamped',
    'geometry_msgs/msg/PointStamped',
    'trajectory_msgs/msg/JointTrajectory',
    'tf2_msgs/msg/TFMessage',
    'rosgraph_msgs/msg/Clock',
)
NAMES = ('robot_description', 'emergency_stop', 'reset', 'diagnostics')
_NEVER = ('/rosout', '/parameter_events')


def choose_topics(
    graph: Mapping[str, Sequence[str]],
    of_controllers: Iterable[str],
    *,
    named: Iterable[str] = (),
    everything: bool = False,
    hidden: bool = True,
) -> dict[str, str]:
    """
    Return the topics to record, with their types.

    Args:
        graph: all topics that are published, with the types of their messages.
        of_controllers: the topics that the controllers publish and subscribe to.
        named: topics that the user named.
        everything: whether all topics are recorded.
        hidden: whether the topics below ``debug/`` are recorded.
    """
    own = {*of_controllers, *named}
    return {
        topic: types[0]
        for topic, types in graph.items()
        if topic not in _NEVER
        and (hidden or '/debug/' not in topic or topic in named)
        and (everything or topic in own or types[0] in TYPES or topic.rpartition('/')[2] in NAMES)
    }
