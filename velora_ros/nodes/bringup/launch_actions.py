"""Converts the nodes of a run to launch actions, and handles nodes that end."""

import atexit
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from launch import LaunchContext
from launch.actions import EmitEvent, OpaqueFunction, RegisterEventHandler, Shutdown, TimerAction
from launch.event_handlers import OnProcessIO, OnShutdown
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessIO, ShutdownProcess
from launch.logging import get_logger
from launch_ros.actions import Node

from velora_ros.nodes.bringup.node_description import PACKAGE, RESPAWN_DELAY_S, SUMMARY, NodeDescription

Actions = list[Any]


class RunActions:
    """
    The launch actions of one run.

    Args:
        nodes: the nodes, in the order in which they start.
        ends_launch: whether the end of the run shuts down the whole launch; the run's own nodes end in any case.
    """

    def __init__(self, nodes: Sequence[NodeDescription], *, ends_launch: bool) -> None:
        self._nodes = nodes
        self._ends_launch = ends_launch
        # Sets of full names: robots whose run is not over, nodes that were asked to end, robots with a summary.
        self._unfinished = {node.full_name for node in nodes if node.ends_run}
        self._stopped: set[str] = set()
        self._judged: set[str] = set()
        self._failure = ''
        self._output: dict[str, bytes] = {}
        self._actions = {node.full_name: self._action(node) for node in nodes}

    @property
    def actions(self) -> Actions:
        """The actions that start the nodes."""
        handlers = [
            RegisterEventHandler(OnProcessIO(target_action=self._actions[name], on_stdout=self._on_stdout(name)))
            for name in self._unfinished
        ]
        return [*handlers, *self._actions.values()]

    def _action(self, node: NodeDescription) -> Node:
        def on_exit(event: ProcessExited, context: LaunchContext) -> Actions | None:
            return self._on_exit(node, event.returncode, context)

        respawn: dict[str, Any] = {'respawn': True, 'respawn_delay': RESPAWN_DELAY_S} if node.respawn else {}
        return Node(
            package=PACKAGE,
            executable=node.name,
            name=node.name,
            namespace=node.namespace,
            parameters=[
                *node.files,
                *(_temporary_file(text) for text in node.sections),
                *([dict(node.parameters)] if node.parameters else []),
            ],
            remappings=list(node.remaps),
            ros_arguments=node.log_arguments or None,
            output='screen',
            on_exit=on_exit,
            **respawn,
        )

    def _on_stdout(self, name: str) -> Callable[[ProcessIO], Actions | None]:
        """
        Return the handler of a simulator's output, which ends the other nodes of its robot at the summary.

        Otherwise the controller would latch a fault because no more states arrive.
        """

        def on_stdout(event: ProcessIO) -> Actions | None:
            *lines, self._output[name] = (self._output.get(name, b'') + event.text).split(b'\n')
            if not any(line.startswith(SUMMARY.encode()) for line in lines):
                return None
            self._judged.add(name)
            return self._stop_robot(name)

        return on_stdout

    def _on_exit(self, node: NodeDescription, status: int, context: LaunchContext) -> Actions | None:
        """Continue, restart or end the run when a process has ended, as ``process_runner.ProcessRunner`` does."""
        if context.is_shutdown or node.full_name in self._stopped:
            return None
        reason = f'{node.name} ended with exit status {status}'
        if node.ends_run and (status == 0 or node.full_name in self._judged):
            self._unfinished.discard(node.full_name)
            self._stopped.add(node.full_name)
            self._failure = self._failure or (reason if status else '')
            if self._unfinished:
                return self._stop_robot(node.full_name)
            if self._failure:
                return [OpaqueFunction(function=self._fail, args=[self._failure])]
            return [Shutdown(reason='the run is over')] if self._ends_launch else self._stop(self._nodes)
        if node.respawn or not node.required:
            return None
        failure = OpaqueFunction(function=self._fail, args=[reason])
        wait = node.linger(status)
        return [TimerAction(period=wait, actions=[failure])] if wait else [failure]

    def _stop_robot(self, name: str) -> Actions:
        """End the nodes of a robot whose run is over."""
        namespace = name.rpartition('/')[0] or '/'
        return self._stop([node for node in self._nodes if node.namespace == namespace])

    def _stop(self, nodes: Sequence[NodeDescription]) -> Actions:
        """End these nodes in order, except nodes that end by themselves."""
        names = [node.full_name for node in nodes if node.full_name not in self._unfinished | self._stopped]
        self._stopped |= set(names)
        return [EmitEvent(event=ShutdownProcess(process_matcher=matches_action(self._actions[name]))) for name in names]

    def _fail(self, context: LaunchContext, reason: str) -> Actions:
        """End the nodes after a failure; the launch fails if nothing else runs in it, or if the run ends the launch."""
        if self._ends_launch:
            raise RuntimeError(f'{reason}; all other nodes stop')
        get_logger('launch').error(f'{reason}; the other nodes of this run stop')

        def on_shutdown(event: Any, context: LaunchContext) -> None:
            # Only an exception makes the exit status of launch other than 0; launch logs its text, not a traceback.
            if event.reason == 'idle':
                raise RuntimeError(reason)

        self._unfinished.clear()
        return [RegisterEventHandler(OnShutdown(on_shutdown=on_shutdown)), *self._stop(self._nodes)]


def _temporary_file(text: str) -> str:
    """Write a parameter file that is deleted when the launch ends; return its path."""
    with tempfile.NamedTemporaryFile('w', prefix='velora_ros_', suffix='.yaml', delete=False, encoding='utf-8') as file:
        file.write(text)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name
