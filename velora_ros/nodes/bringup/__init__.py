"""Which nodes a run consists of (``nodes_of_a_run.py``), started by ``ros2 launch`` or, without it, as processes."""
