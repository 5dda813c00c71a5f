"""
Is this the robot that the policy was trained for? Checks on arrays, without ROS and without a clock.

Every check returns findings: what is in order, what is worth knowing, and what must be corrected before the robot is
armed. ``velora_ros.nodes.doctor`` gets the arrays from topics or from a recording.
"""
