"""Starts the nodes of a run, by ``ros2 launch`` or as processes; ``which_nodes_start.py`` lists them."""
