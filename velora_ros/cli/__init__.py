"""The command line, one file for each command; it needs no ROS."""
