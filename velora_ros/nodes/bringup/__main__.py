"""``python -m velora_ros.nodes.bringup RUN [name:=value ...]``: start the nodes of a run without ``ros2 launch``."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback
from velora_ros.nodes.bringup.command_line import main  # noqa: E402

sys.exit(main())
