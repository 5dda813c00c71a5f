"""
The command line: ``velora_ros train | sweep | evaluate | tasks | play | inspect | deploy | plot | export | ...``.

It needs no ROS, except for ``record``, ``doctor`` and ``replay --policy``: they become a process of
:mod:`velora_ros.nodes`.

Exit status: 0 success, 1 failure (with one line on standard error), 2 invalid arguments, 130 interrupted.
"""

import argparse
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

from velora_ros import __version__
from velora_ros.errors import ConfigError, VeloraError
from velora_ros.utils.output import forget_unwritten, write_line

FINE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_COLOURS = re.compile(r'\x1b\[[0-9;]*m')
DEBUG = 'show the traceback of an error'


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        argv: arguments without the program's name; None: the arguments of the process.

    Returns:
        the exit status.
    """
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed help or usage
        return stop.code if isinstance(stop.code, int) else FAILED
    except KeyboardInterrupt:
        return _fail('interrupted.', INTERRUPTED)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        _run_command(arguments)
        if sys.stdout is not None:  # None: it was closed before this process began
            sys.stdout.flush()
    except ConfigError as error:
        return _fail(error, USAGE)
    except VeloraError as error:
        return _fail(error, FAILED)
    except BrokenPipeError:  # the reader has gone, as after ``| head``
        forget_unwritten(sys.stdout)
        return FAILED
    except OSError as error:
        forget_unwritten(sys.stdout)  # standard output may be what failed
        return _fail(f'{error.strerror or error}: {error.filename or "no file"}.', FAILED)
    except KeyboardInterrupt:
        return _fail('interrupted.', INTERRUPTED)
    return FINE


def _run_command(arguments: argparse.Namespace) -> None:
    try:
        arguments.run(arguments)
    except (VeloraError, OSError) as error:
        if arguments.debug:
            write_line(''.join(traceback.format_exception(error)).rstrip(), error=True)
        raise


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    # Imported here because they take a second, in which Ctrl-C must not print a traceback.
    from velora_ros.cli import (  # noqa: PLC0415
        deploy,
        doctor,
        evaluate,
        export,
        inspect,
        play,
        plot,
        record,
        replay,
        sweep,
        tasks,
        train,
    )

    root = argparse.ArgumentParser(
        prog='velora_ros', description='Train, evaluate, draw and export recurrent robot policies, without ROS.'
    )
    root.add_argument('--debug', action='store_true', help=DEBUG)
    root.add_argument('--version', action='version', version=f'velora_ros {__version__}')
    commands = root.add_subparsers(title='commands', required=True, metavar='COMMAND')
    for command in (train, sweep, evaluate, tasks, play, inspect, deploy, plot, export, record, replay, doctor):
        command.add_parser(commands)
    for one in commands.choices.values():
        one.description = (one.description or '').replace('``', '')  # they are the modules' docstrings
        one.add_argument('--debug', action='store_true', default=argparse.SUPPRESS, help=DEBUG)
    return root


def _fail(error: object, status: int) -> int:
    write_line(f'velora_ros: error: {" ".join(str(error).split())}', error=True)
    return status


def _show_warning(message: Warning | str, *_: Any) -> None:
    # gymnasium's warnings are coloured.
    text = _COLOURS.sub('', str(message)).removeprefix('WARN: ')
    write_line(f'velora_ros: warning: {text}', error=True)
