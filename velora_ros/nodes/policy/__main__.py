"""``python -m velora_ros.nodes.policy``: what the executable ``policy_node`` does, without an installation."""

from velora_ros.nodes.policy.node import main

main()
