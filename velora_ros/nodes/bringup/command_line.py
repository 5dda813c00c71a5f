"""
Starts the nodes of a run without ``ros2 launch``, with the same arguments.

    python -m velora_ros.nodes.bringup control duration:=60 env:=InvertedPendulum-v5 policy:=file.safetensors
    python -m velora_ros.nodes.bringup control train:=true duration:=300

The last printed line is the summary of the run. The exit status is 0 if the run passed or was ended by Ctrl-C or
SIGTERM, 1 if it did not pass or a required process died, and 2 if an argument is invalid.
"""

import sys
from collections.abc import Sequence

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup.launch_arguments import ARGUMENTS
from velora_ros.nodes.bringup.process_runner import run_processes
from velora_ros.nodes.bringup.which_nodes_start import build


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the nodes of the run on the command line, and wait until the run is over; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if {'-h', '--help'} & set(words):
        sys.stdout.write(usage())
        return 0
    try:
        nodes = build(*parse(words))
    except ConfigError as error:
        sys.stderr.write(f'{error}\n')
        return 2
    return run_processes(nodes)


def parse(words: Sequence[str]) -> tuple[str, dict[str, str]]:
    """
    Split ``run name:=value ...`` into the run and its launch arguments.

    Raises:
        ConfigError: a word after the run is not of the form ``name:=value``.
    """
    run, *rest = words or ['']
    given = {}
    for word in rest:
        name, separator, value = word.partition(':=')
        if not separator:
            raise ConfigError(f"'{word}' is not a launch argument; write name:=value, for example duration:=60.")
        given[name] = value
    return run, given


def usage() -> str:
    """Return the help text: every run with its launch arguments."""
    lines = ['python -m velora_ros.nodes.bringup RUN [name:=value ...]', '']
    for run, table in ARGUMENTS.items():
        lines.append(run)
        for argument in table:
            default = f' (default {argument.default})' if argument.default else ''
            lines.append(f'  {argument.name + ":=":16}{argument.description}{default}')
    return '\n'.join(lines) + '\n'
