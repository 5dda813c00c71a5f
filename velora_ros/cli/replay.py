"""``velora_ros replay FILE``: show a recording, repair it, or show what another policy would have commanded."""

import argparse
import json

from velora_ros.cli.ros_process import become
from velora_ros.errors import MissingDependencyError
from velora_ros.recordings.replay_options import add_arguments, words_of
from velora_ros.utils.dependencies import how_to_install


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``replay`` to the parser."""
    parser = commands.add_parser('replay', help='show what a recording contains', description=__doc__)
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Print the content of the recording and rewrite it on request; with a policy, run the process that replays it.

    Raises:
        VeloraError: the file cannot be read or written, or ROS is not installed.
    """
    try:
        from velora_ros.recordings.describe import describe, summary  # noqa: PLC0415
        from velora_ros.recordings.mcap_reader import read_recording  # noqa: PLC0415
        from velora_ros.recordings.repair import write_recording  # noqa: PLC0415
    except ImportError as error:
        advice = how_to_install('record')
        raise MissingDependencyError(f'a recording needs {error.name}, which is not installed. {advice}') from error
    if arguments.policy:
        become('replay', words_of(arguments))
    recording = read_recording(arguments.file)
    print(describe(arguments.file, recording))
    if arguments.out:
        write_recording(recording, arguments.out)
        print(f'  written: {arguments.out}')
    print(json.dumps(summary(arguments.file, recording)))
