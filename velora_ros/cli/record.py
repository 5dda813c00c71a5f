"""``velora_ros record``: record a robot's topics in an MCAP file."""

import argparse

from velora_ros.cli.ros_process import become
from velora_ros.recordings.options import RecordOptions, add_arguments


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``record`` to the parser."""
    parser = commands.add_parser('record', help="record a robot's topics (needs ROS)", description=__doc__)
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Run the process that records until Ctrl-C, in place of this process.

    Raises:
        MissingDependencyError: ROS is not installed.
    """
    become('record', RecordOptions.of(arguments).words)
