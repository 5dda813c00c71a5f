"""
Recordings of a robot: write, read and repair MCAP files, and compare commands, without ROS.

A recording holds serialised messages and their definitions, so that Foxglove, PlotJuggler and ``ros2 bag`` can open it.
``velora_ros.nodes.record`` makes recordings.
"""
