"""
How every node runs: one ``main`` pattern, one spin loop, clean ends.

Exit status: 0 after SIGINT, SIGTERM, SIGHUP or a finished job; 1 when the start is refused, with one sentence that the
node's logger writes as FATAL.
"""

import gc
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, cast

import rclpy
import rclpy.logging
import rclpy.utilities
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.ros.rclpy_compat import events_executor
from velora_ros.utils import ending_signals

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""For timers that must not stop with a frozen /clock."""

# The longest that a signal waits for the loop when no message and no timer wakes it [s].
POLL_S = 0.05


class Runnable(Protocol):
    """What :func:`run` asks of a node, beside being a ``rclpy.node.Node``."""

    exit_code: int | None
    """Set by the node to end the process with this status; None while it runs."""

    def close(self) -> None:
        """Say the last words (fallback command, summary) while the context is still valid."""

    def destroy_node(self) -> None:
        """Release everything; rclpy's own."""


def run(make_node: Callable[[], Runnable], argv: list[str] | None = None) -> int:
    """
    Initialise ROS, make the node, spin it until a signal or its own end, close it, shut down.

    rclpy's own signal handlers are left out: they invalidate the context before a node could say anything.
    SIGINT, SIGTERM and SIGHUP set a flag; the loop ends, ``node.close()`` publishes what it must, the context goes.

    Args:
        make_node: builds the node; may raise VeloraError to refuse the start.
        argv: command line with ROS arguments; None takes ``sys.argv``.

    Returns:
        The process's exit status.
    """
    stop = _flag_on_signals()
    try:
        _initialise(argv)
    except VeloraError as error:
        return _refuse(error, make_node)
    try:
        return _live(make_node, stop)
    except ExternalShutdownException:
        return 0
    finally:
        _leave_no_threads()
        rclpy.utilities.try_shutdown()


def _live(make_node: Callable[[], Runnable], stop: list[int]) -> int:
    node: Runnable | None = None
    try:
        node = running = make_node()
        spin(cast(Node, node), until=lambda: bool(stop) or running.exit_code is not None)
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
            node.close()  # whatever ends the node must not leave a robot moving
        raise
    finally:
        # Python gives signals their default action back while it ends; an ignored one stays ignored.
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()


def _leave_no_threads() -> None:
    """
    Free what a destroyed node left, so that the middleware's threads end before the process does.

    The state machine of rclpy's LifecycleNode keeps the middleware alive and belongs to a reference cycle. With it, the
    threads would meet the destructors of the process's end, which now and then is a segmentation fault.
    """
    gc.unfreeze()
    gc.collect()


def spin(node: Node, *, until: Callable[[], bool] = lambda: False) -> None:
    """Run the node's callbacks until ``until()`` is true or the context is shut down."""
    executor = make_executor(node)
    executor.add_node(node)
    try:
        # Never without a timeout: EventsExecutor.spin() hangs at full load and runs no callback (rclpy 7.1.6).
        while rclpy.utilities.ok() and not until():
            executor.spin_once(timeout_sec=POLL_S)
    finally:
        executor.remove_node(node)


def make_executor(node: Node) -> Executor:
    """Return an EventsExecutor, or a SingleThreadedExecutor and a warning where rclpy has none."""
    executor = events_executor()
    if executor is None:
        node.get_logger().warning(
            'this rclpy has no EventsExecutor (it came with 7.1.4), so latency is several times higher; '
            'update ros-jazzy-rclpy.'
        )
        return SingleThreadedExecutor()
    return executor


def _flag_on_signals() -> list[int]:
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)

    for number in ending_signals():
        signal.signal(number, remember)
    return received


def _initialise(argv: list[str] | None) -> None:
    words = [*(sys.argv if argv is None else argv), *_without_log_files()]
    try:
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # what rcl raises for arguments and parameter files that it cannot parse
        raise ConfigError(f'ROS cannot start: {_why(str(error))}') from error


def _without_log_files() -> list[str]:
    """
    Return the arguments with which ROS starts where it can write no log file, as on a read-only system without HOME.

    Left to itself rcl refuses to start there. The log still goes to the console and to /rosout.
    """
    folder = os.environ.get('ROS_LOG_DIR') or f'{os.environ.get("ROS_HOME") or "~/.ros"}/log'
    if folder.startswith('~'):  # rcl asks HOME alone
        home = os.environ.get('HOME')
        folder = f'{home}{folder[1:]}' if home else ''
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        writable = bool(folder) and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    return [] if writable else ['--ros-args', '--disable-external-lib-logs']


def _why(message: str) -> str:
    """Return rcl's reason without its source paths, and what to do about it."""
    reason = message.split(', at /', maxsplit=1)[0]
    if message.startswith('['):
        return f'there are no ROS arguments {reason}; correct what follows --ros-args.'
    if 'same type' in message:
        return f'a list must hold one type, write [0.0, 1.5] instead of [0, 1.5]: {reason}.'
    if 'parse' in message:
        return f'{reason}. Correct the argument or the parameter file.'
    return f'{reason}. Check the environment: ROS_DOMAIN_ID, RMW_IMPLEMENTATION, ROS_SECURITY_ENABLE and its keystore.'


def _refuse(error: VeloraError, make_node: Callable[[], Runnable]) -> int:
    """Log why the node cannot start or go on; return the exit status."""
    unmade = _node_of(error)
    _logger(unmade, make_node).fatal(str(error))
    if unmade is not None:
        # A node that was refused while it was made is given back in order, before the middleware's threads end.
        with suppress(Exception):
            unmade.destroy_node()
    return 1


def _node_of(error: VeloraError) -> Node | None:
    """Return the node that raised an error."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        node = frame.f_locals.get('self')
        if isinstance(node, Node):
            return node
    return None


def _logger(node: Node | None, make_node: Callable[[], Runnable]) -> Any:
    """Return the logger of a node, which writes to /rosout too; else one of the same name."""
    if node is not None:
        with suppress(AttributeError):  # before the node itself was made
            return node.get_logger()
    name = getattr(make_node, '__name__', 'velora_ros')
    return rclpy.logging.get_logger(re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).lower())
