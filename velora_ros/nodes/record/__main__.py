"""The executable ``record``; ``velora_ros record`` starts it."""

import argparse
import signal
import sys
from functools import partial


def main() -> None:
    """Record until SIGINT, SIGTERM or SIGHUP, or until the time given with ``--seconds`` is over."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback
    from velora_ros.nodes.ros.run_node import run, split_ros_arguments  # noqa: PLC0415
    from velora_ros.recordings.options import RecordOptions, add_arguments  # noqa: PLC0415

    parser = argparse.ArgumentParser('velora_ros record', description="Record a robot's topics in an MCAP file.")
    add_arguments(parser)
    own, ros = split_ros_arguments(sys.argv)
    options = RecordOptions.of(parser.parse_args(own))
    from velora_ros.nodes.record.recorder import Recorder  # noqa: PLC0415

    if options.namespace:
        ros += ['--ros-args', '-r', f'__ns:=/{options.namespace.strip("/")}']
    sys.exit(run(partial(Recorder, options), ros))


if __name__ == '__main__':
    main()
