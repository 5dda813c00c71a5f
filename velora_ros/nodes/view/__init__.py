"""view_node: a page in the browser that shows the robot and its policy and can drive the robot."""
