"""The executable ``view_node``; without an installation ``python -m velora_ros.nodes.view``."""

import contextlib
import os
import signal
import sys

NICENESS = 5
"""Niceness of the process, set before its imports, which would otherwise delay the start of the robot's nodes."""


def main() -> None:
    """Run view_node until SIGINT, SIGTERM or SIGHUP."""
    with contextlib.suppress(OSError):  # some sandboxes refuse to change the niceness
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback
    from velora_ros.nodes.ros.run_node import run  # noqa: PLC0415
    from velora_ros.nodes.view.node import ViewNode  # noqa: PLC0415

    sys.exit(run(ViewNode))


if __name__ == '__main__':
    main()
