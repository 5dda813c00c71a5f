"""
The ROS shell: three nodes and what they share. No logic lives here, only translation.

Only this package imports rclpy and message packages; what happens between a message and a command is in
``velora_ros.control``.
"""

import signal
import sys
from pathlib import Path

# Ctrl-C while a node or the runner still loads ends it without a traceback; later, spin.run and processes.py answer it.
# While `python -m` looks for the module, it calls itself -m.
if Path(sys.argv[0]).name in ('policy_node', 'sim_node', 'trainer_node', '-m'):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
