"""trainer_node: trains a policy in a separate process."""
