"""policy_node: runs a trained policy on a robot."""
