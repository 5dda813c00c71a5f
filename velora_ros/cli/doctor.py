"""``velora_ros doctor POLICY``: check, before anything is armed, whether a policy fits the robot."""

import argparse

from velora_ros.cli.ros_process import become
from velora_ros.doctor.options import add_arguments, words_of


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``doctor`` to the parser."""
    parser = commands.add_parser('doctor', help='examine a robot before it is armed (needs ROS)', description=__doc__)
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Run the process that examines the robot, in place of this process.

    Raises:
        MissingDependencyError: ROS is not installed.
    """
    become('doctor', words_of(arguments))
