"""Bringup: which nodes a run consists of (``runs.py``), started by ``ros2 launch`` or, without it, as processes."""
