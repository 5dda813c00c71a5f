"""
Runs a trained policy on a simulated robot or, with ``sim:=false``, on a real robot.

    ros2 launch velora_ros control.launch.py duration:=60
    ros2 launch velora_ros control.launch.py --show-args
"""

from launch import LaunchDescription

from velora_ros.nodes.bringup.ros2_launch import launch_description


def generate_launch_description() -> LaunchDescription:
    """Describe the run: ``velora_ros/nodes/bringup/`` has its nodes and arguments."""
    return launch_description('control')
