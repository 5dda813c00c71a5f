"""What to record and where: the arguments of ``velora_ros record``, shared with the process that records."""

import argparse
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class RecordOptions:
    """
    The options of a recording.

    Args:
        file: the MCAP file to write; empty: a name with date and time.
        topics: additional topics; relative names are in the recorder's namespace.
        everything: whether all topics are recorded, images included.
        hidden: whether the policy's observations and hidden state are recorded.
        seconds: duration [s]; 0: until Ctrl-C.
        namespace: the namespace of the robot.
    """

    file: str = ''
    topics: tuple[str, ...] = ()
    everything: bool = False
    hidden: bool = True
    seconds: float = 0.0
    namespace: str = ''

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> 'RecordOptions':
        """Return the options from arguments of :func:`add_arguments`."""
        return cls(
            arguments.file or '',
            tuple(arguments.topics),
            arguments.all,
            not arguments.no_hidden,
            arguments.seconds,
            arguments.namespace,
        )

    @property
    def words(self) -> list[str]:
        """Return the equivalent command line."""
        words = [self.file] if self.file else []
        words += ['--topics', *self.topics] if self.topics else []
        words += ['--all'] * self.everything + ['--no-hidden'] * (not self.hidden)
        words += ['--seconds', str(self.seconds)] if self.seconds else []
        return [*words, '--namespace', self.namespace] if self.namespace else words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``velora_ros record`` to a parser."""
    parser.add_argument('file', metavar='FILE', nargs='?', help='MCAP file to write (default: date and time)')
    parser.add_argument('--topics', metavar='TOPIC', nargs='+', default=[], help='additional topics')
    parser.add_argument('--all', action='store_true', help='every topic, images included')
    parser.add_argument('--no-hidden', action='store_true', help='omit what the policy reads and its hidden state')
    parser.add_argument('--seconds', metavar='S', type=_seconds, default=0.0, help='end after this time')
    parser.add_argument('--namespace', metavar='NS', default='', help="the robot's namespace")


def default_file_name() -> str:
    """Return a name with the local date and time."""
    return time.strftime('velora-%Y%m%d-%H%M%S.mcap')


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float('inf'):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number of seconds")
    return seconds
