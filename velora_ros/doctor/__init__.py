"""
Checks whether a policy fits a robot. The checks work on arrays, use no ROS and read no clock.

Each check returns findings: what is correct, what the user should know, and what must be corrected before the robot is
armed. ``velora_ros.nodes.doctor`` gets the arrays from topics or from a recording.
"""
