"""The executable ``trainer_node``; without an installation ``python -m velora_ros.nodes.trainer``."""

import signal
import sys


def main() -> None:
    """Run trainer_node until SIGINT, SIGTERM or SIGHUP or, with ``exit_when_done``, until training ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback
    from velora_ros.nodes.ros.run_node import run  # noqa: PLC0415
    from velora_ros.nodes.trainer.node import TrainerNode  # noqa: PLC0415

    sys.exit(run(TrainerNode))


if __name__ == '__main__':
    main()
