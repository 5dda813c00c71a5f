"""
The ROS shell: three nodes and what they share. No logic lives here, only translation.

Only this package imports rclpy and message packages; what happens between a message and a command is in
``velora_ros.control``.
"""
