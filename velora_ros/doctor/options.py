"""The arguments of ``velora_ros doctor``, shared with the process that examines the robot."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to a parser."""
    parser.add_argument('policy', metavar='POLICY', nargs='?', help='policy file, or the name of a shipped policy')
    parser.add_argument('--recording', metavar='FILE', help='MCAP file to examine instead of live topics')
    parser.add_argument('--params', metavar='FILE', help='parameter file of policy_node')
    parser.add_argument('--namespace', metavar='NS', default='', help="namespace of the robot's topics")
    parser.add_argument('--command-topic', metavar='TOPIC', default='command', help='command topic (default: command)')
    parser.add_argument('--seconds', metavar='S', type=float, default=5.0, help='how long to listen (default: 5)')
    parser.add_argument('--anywhere', action='store_true', help='the robot is not upright in its start pose')
    parser.add_argument(
        '--move', metavar='JOINT', nargs='*', help='ask the user to move these joints, or all joints, by hand'
    )
    parser.add_argument('--patience', metavar='S', type=float, default=60.0, help='longest wait per move (default: 60)')
    parser.add_argument('--add-trace', metavar='FILE', help='only write a copy of the policy with a golden trace')
    parser.add_argument('--json', action='store_true', help='print one JSON object as the last line')


def words_of(arguments: argparse.Namespace) -> list[str]:
    """Return these arguments as the words of a command line."""
    words = [arguments.policy] if arguments.policy else []
    for name in ('recording', 'params', 'namespace', 'command_topic', 'seconds', 'patience', 'add_trace'):
        value = getattr(arguments, name)
        words += [f'--{name.replace("_", "-")}', str(value)] if value not in (None, '') else []
    words += [f'--{name}' for name in ('anywhere', 'json') if getattr(arguments, name)]
    return [*words, '--move', *arguments.move] if arguments.move is not None else words
