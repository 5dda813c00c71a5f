"""The command line, for a machine without ROS: train, evaluate, inspect, plot, export."""
