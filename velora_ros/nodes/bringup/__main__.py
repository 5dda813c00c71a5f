"""``python -m velora_ros.nodes.bringup RUN [name:=value ...]``: start the nodes of a run without ``ros2 launch``."""

import sys

from velora_ros.nodes.bringup.command_line import main

sys.exit(main())
