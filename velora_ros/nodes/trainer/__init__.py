"""trainer_node: trains a policy in a process of its own."""
