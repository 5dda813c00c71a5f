"""
The ROS shell: three nodes, what they share, and bringup. No logic lives here, only translation.

Only this package imports rclpy and message packages; what happens between a message and a command is in
``velora_ros.control``.
"""

import signal
import sys
from pathlib import Path

# Ctrl-C while an executable of this package imports its modules ends it without a traceback; run_node.py and
# process_runner.py handle it later. While `python -m` searches for a module, its own name is -m.
if Path(sys.argv[0]).name in ('policy_node', 'sim_node', 'trainer_node', '-m'):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
