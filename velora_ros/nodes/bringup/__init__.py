"""Which nodes a run consists of (``which_nodes_start.py``), started by ``ros2 launch`` or, without it, as processes."""
