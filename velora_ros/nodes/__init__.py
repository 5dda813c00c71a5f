"""
The ROS layer: three nodes, what they share, and bringup. It only translates between messages and the library.

Only this package imports rclpy and message packages; what happens between a message and a command is in
``velora_ros.control``.
"""
