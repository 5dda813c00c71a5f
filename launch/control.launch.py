"""
A trained policy on the simulated robot, or with ``sim:=false`` on a real one.

    ros2 launch velora_ros control.launch.py duration:=60
    ros2 launch velora_ros control.launch.py --show-args
"""

from launch import LaunchDescription

from velora_ros.nodes.bringup.ros2_launch import launch_description


def generate_launch_description() -> LaunchDescription:
    """Describe the run; its nodes are in ``velora_ros/nodes/bringup/which_nodes_start.py``, its arguments beside it."""
    return launch_description('control')
