"""
Training as a node: progress on topics, services to pause, save and stop.

    ros2 launch velora_ros train.launch.py env:=InvertedPendulum-v5 seed:=1 steps:=30000
    ros2 launch velora_ros train.launch.py --show-args
"""

from launch import LaunchDescription

from velora_ros.nodes.bringup.launch_description import launch_description


def generate_launch_description() -> LaunchDescription:
    """Describe the run; its nodes are in ``velora_ros/nodes/bringup/nodes_of_a_run.py``, its arguments beside it."""
    return launch_description('train')
