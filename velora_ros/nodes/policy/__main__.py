"""The executable ``policy_node``; without an installation ``python -m velora_ros.nodes.policy``."""

import signal
import sys


def main() -> None:
    """Run policy_node until SIGINT, SIGTERM or SIGHUP."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback
    from velora_ros.nodes.policy.node import PolicyNode  # noqa: PLC0415
    from velora_ros.nodes.ros.run_node import run  # noqa: PLC0415

    sys.exit(run(PolicyNode))


if __name__ == '__main__':
    main()
