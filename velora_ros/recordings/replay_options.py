"""The arguments of ``velora_ros replay``, shared with the process that replays."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``velora_ros replay`` to a parser."""
    parser.add_argument('file', metavar='FILE', help='recording, an MCAP file')
    parser.add_argument('--out', metavar='FILE', help='write what can be read as a valid MCAP file')
    other = parser.add_argument_group('what another policy would have commanded (needs ROS)')
    other.add_argument('--policy', metavar='FILE', help='policy file, or the name of a shipped policy')
    other.add_argument('--params', metavar='FILE', help='parameter file of policy_node: observation.*, command.*')
    other.add_argument('--namespace', metavar='NS', help="the robot's namespace (default: as in the recording)")
    other.add_argument('--command-topic', metavar='TOPIC', default='', help='the topic of the recorded commands')
    other.add_argument('--rows', metavar='N', type=int, default=5, help='moments shown side by side (default: 5)')
    other.add_argument('--picture', metavar='FILE', help='draw both commands over time, .png or .svg')


def words_of(arguments: argparse.Namespace) -> list[str]:
    """Return the equivalent command line."""
    words = [arguments.file]
    for name in ('out', 'policy', 'params', 'namespace', 'command_topic', 'rows', 'picture'):
        value = getattr(arguments, name)
        words += [f'--{name.replace("_", "-")}', str(value)] if value not in (None, '') else []
    return words
