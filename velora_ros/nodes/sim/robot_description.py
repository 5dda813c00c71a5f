"""Publishes ``robot_description``: the URDF of a task's robot, made from its model."""

from rclpy.node import Node

from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.parameters import OWNER
from velora_ros.tasks.task_robot import TaskRobot
from velora_ros.tasks.write_urdf import Frame, to_urdf


def urdf_of(robot: TaskRobot, values: Values) -> str:
    """
    Return the URDF of a robot, as XML, with all frames that its messages use.

    Args:
        robot: the robot.
        values: the node's parameters.

    Raises:
        TaskError: the model cannot be described by a URDF.
    """
    laser = robot.sensors.laser
    frames = [] if laser is None else [Frame(values['scan_frame_id'], laser.body, laser.position)]
    name = values['task'].rpartition(':')[2].rpartition('/')[2].removesuffix('.py')
    return to_urdf(robot.model, name, root=values['base_frame_id'], frames=frames)


def publish_robot_description(node: Node, robot: TaskRobot, values: Values) -> None:
    """Publish the URDF of a robot, latched for late subscribers; arguments as for :func:`urdf_of`."""
    create_publisher(node, OWNER, 'robot_description').publish(conversions.to_text(urdf_of(robot, values)))
