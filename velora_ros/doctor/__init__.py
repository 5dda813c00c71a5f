"""
Checks whether a policy fits a robot, on arrays, without ROS and without a clock.

Every check returns findings: what is correct, what is worth knowing, and what must be corrected before the robot is
armed. ``velora_ros.nodes.doctor`` gets the arrays from topics or from a recording.
"""
