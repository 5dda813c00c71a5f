"""``python -m velora_ros.nodes.sim``: what the executable ``sim_node`` does, without an installation."""

from velora_ros.nodes.sim.node import main

main()
