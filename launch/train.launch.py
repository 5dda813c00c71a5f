"""
Trains a policy in a node, which publishes its progress and has services to pause, save and stop.

    ros2 launch velora_ros train.launch.py env:=InvertedPendulum-v5 seed:=1 steps:=30000
    ros2 launch velora_ros train.launch.py --show-args
"""

from launch import LaunchDescription

from velora_ros.nodes.bringup.ros2_launch import launch_description


def generate_launch_description() -> LaunchDescription:
    """Describe the run: ``velora_ros/nodes/bringup/`` has its nodes and arguments."""
    return launch_description('train')
