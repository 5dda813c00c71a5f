"""The executable ``sim_node``; without an installation ``python -m velora_ros.nodes.sim``."""

import signal
import sys


def main() -> None:
    """Run sim_node until ``duration_s`` is over, or until SIGINT, SIGTERM or SIGHUP."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback
    from velora_ros.nodes.ros.run_node import run  # noqa: PLC0415
    from velora_ros.nodes.sim.node import SimNode  # noqa: PLC0415

    sys.exit(run(SimNode))


if __name__ == '__main__':
    main()
