"""
The ROS shell: three nodes, what they share, and bringup. No logic lives here, only translation.

Only this package imports rclpy and message packages; what happens between a message and a command is in
``velora_ros.control``.
"""
