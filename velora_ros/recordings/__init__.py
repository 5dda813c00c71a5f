"""
What was recorded of a robot: MCAP files written, read and repaired, and commands compared. No ROS.

A recording holds the messages as the middleware carries them, with their definitions, so that Foxglove, PlotJuggler
and ``ros2 bag`` open it. ``velora_ros.nodes.record`` makes one.
"""
