"""
The life of every node's process: initialise ROS, make the node, spin it, close it, shut down.

Exit status: 0 after SIGINT, SIGTERM, SIGHUP or a finished job; 1 if the start is refused, with one message that the
node's logger writes as FATAL.
"""

import atexit
import gc
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, cast

import rclpy
import rclpy.logging
import rclpy.utilities
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.ros.executor import spin
from velora_ros.nodes.ros.rclpy_compat import release_state_machine
from velora_ros.utils.termination_signals import ending_signals

# Time for the reason of a failure to reach the subscribers of /rosout before the node is destroyed [s].
ROSOUT_S = 0.5


class Runnable(Protocol):
    """The interface that :func:`run` needs from a node, in addition to ``rclpy.node.Node``."""

    exit_code: int | None
    """Set by the node to end the process with this exit status; None while it runs."""

    def close(self) -> None:
        """Publish the last messages, such as the fallback command or the summary, while the context is still valid."""

    def destroy_node(self) -> None:
        """Destroy the node with its publishers, subscriptions, services and timers; rclpy's own method."""


def run(make_node: Callable[[], Runnable], argv: list[str] | None = None) -> int:
    """
    Initialise ROS, make the node, spin it until a signal arrives or it sets its exit status, close it, shut down.

    rclpy's own signal handlers are not installed: they invalidate the context before a node can publish anything. Here
    SIGINT, SIGTERM and SIGHUP only set a flag. The loop then ends, ``node.close()`` publishes its last messages, and
    the context is shut down.

    Args:
        make_node: makes the node; may raise VeloraError to refuse the start.
        argv: command line with ROS arguments; None is ``sys.argv``.

    Returns:
        The exit status of the process.
    """
    received = _record_signals()
    try:
        _initialise(argv)
    except VeloraError as error:
        return _refuse(error, make_node)
    try:
        return _make_spin_and_close(make_node, received)
    except ExternalShutdownException:
        return 0
    finally:
        rclpy.utilities.try_shutdown()
        atexit.register(gc.freeze)  # no garbage collection at the exit, where a search of all objects takes 0.2 s


def split_ros_arguments(argv: list[str]) -> tuple[list[str], list[str]]:
    """
    Split a command line into the program's own arguments and its ROS arguments.

    Returns:
        The arguments before ``--ros-args``; then the program's name, ``--ros-args`` and all arguments after it.
    """
    cut = argv.index('--ros-args') if '--ros-args' in argv else len(argv)
    return argv[1:cut], [argv[0], *argv[cut:]]


def _make_spin_and_close(make_node: Callable[[], Runnable], received: list[int]) -> int:
    node: Runnable | None = None
    try:
        node = running = make_node()
        spin(cast(Node, node), until=lambda: bool(received) or running.exit_code is not None)
        node.close()
        return node.exit_code or 0
    except ExternalShutdownException:
        raise
    except VeloraError as error:
        if node is not None:
            node.close()
        return _refuse(error, make_node)
    except Exception:
        if node is not None:
            node.close()  # an unexpected error must not leave a robot moving
        raise
    finally:
        # Python restores the default signal actions while it exits; an ignored signal stays ignored.
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            _destroy(cast(Node, node))


def _destroy(node: Node) -> None:
    """Destroy a node completely, so that the middleware's threads end before the process does."""
    node.destroy_node()
    release_state_machine(node)


def _record_signals() -> list[int]:
    """Return a list to which signals that end a process are appended when they arrive."""
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)

    for number in ending_signals():
        signal.signal(number, on_signal)
    return received


def _initialise(argv: list[str] | None) -> None:
    arguments = [*(sys.argv if argv is None else argv), *_log_arguments()]
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rcl raises it for arguments and parameter files that it cannot parse
        raise ConfigError(f'ROS cannot start: {_reason(str(error))}') from error


def _log_arguments() -> list[str]:
    """
    Return the arguments that switch log files off if none can be written, as on a read-only system without HOME.

    Without them rcl refuses to start there. The log still goes to the console and to /rosout.
    """
    folder = os.environ.get('ROS_LOG_DIR') or f'{os.environ.get("ROS_HOME") or "~/.ros"}/log'
    if folder.startswith('~'):  # rcl reads HOME only, not the user database
        home = os.environ.get('HOME')
        folder = f'{home}{folder[1:]}' if home else ''
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        writable = bool(folder) and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    return [] if writable else ['--ros-args', '--disable-external-lib-logs']


def _reason(message: str) -> str:
    """Return rcl's message without source paths, followed by what to do."""
    reason = message.split(', at /', maxsplit=1)[0]
    if message.startswith('['):
        return f'unknown ROS arguments {reason}; correct the arguments after --ros-args.'
    if 'same type' in message:
        return f'all items of a list must have the same type; write [0.0, 1.5] instead of [0, 1.5]: {reason}.'
    if 'parse' in message:
        return f'{reason}. Correct the argument or the parameter file.'
    return f'{reason}. Check the environment: ROS_DOMAIN_ID, RMW_IMPLEMENTATION, ROS_SECURITY_ENABLE and its keystore.'


def _refuse(error: VeloraError, make_node: Callable[[], Runnable]) -> int:
    """Log why the node cannot start or continue; return the exit status."""
    node = _node_that_raised(error)
    _logger(node, make_node).fatal(str(error))
    if node is not None:
        time.sleep(ROSOUT_S)
        # A node whose constructor raised is destroyed here, before the middleware's threads end.
        with suppress(Exception):
            _destroy(node)
    return 1


def _node_that_raised(error: VeloraError) -> Node | None:
    """Return the node in whose method an error was raised."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        node = frame.f_locals.get('self')
        if isinstance(node, Node):
            return node
    return None


def _logger(node: Node | None, make_node: Callable[[], Runnable]) -> Any:
    """Return the node's logger, which also writes to /rosout; without a node, a logger of the same name."""
    if node is not None:
        with suppress(AttributeError):  # raised if rclpy's constructor did not finish
            return node.get_logger()
    name = getattr(make_node, '__name__', 'velora_ros')
    return rclpy.logging.get_logger(re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).lower())
