"""sim_node: a simulated robot in real time."""
