"""
The ROS layer: the nodes, what they share, and bringup. It only translates between messages and the library.

Only this package imports rclpy and message packages; the steps between a message and a command are in
``velora_ros.control``.
"""
