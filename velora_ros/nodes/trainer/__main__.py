"""``python -m velora_ros.nodes.trainer``: what the executable ``trainer_node`` does, without an installation."""

from velora_ros.nodes.trainer.node import main

main()
