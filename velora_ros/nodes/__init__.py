"""
The ROS layer: the nodes, the code that they share, and bringup.

It only translates between ROS messages and the rest of ``velora_ros``, and is the only subpackage that imports rclpy
and message packages. The steps between an observation and a command are in ``velora_ros.control``.
"""
