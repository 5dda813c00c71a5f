"""Turns the list of nodes in ``bringup.py`` into launch actions; the launch files are one call of it each."""

import atexit
import difflib
import inspect
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessIO, OnShutdown
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessIO, ShutdownProcess
from launch.logging import get_logger
from launch.substitutions import EnvironmentVariable
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch_ros.actions import Node

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.bringup.entries import (
    BOOLEAN,
    DISCOVERY,
    DISCOVERY_DEFAULT,
    RESPAWN_DELAY_S,
    SUMMARY,
    Entry,
    Surroundings,
)
from velora_ros.nodes.bringup.runs import ARGUMENTS, build, publishes_clock
from velora_ros.nodes.ros.parameter_files import names_a_node

Actions = list[Any]

NODES = ('sim_node', 'policy_node', 'trainer_node')
# What a launch file around ours may say for everything in it, as is usual in ROS. Its other arguments are its own: an
# `env` or a `policy` there hardly ever means ours.
SHARED = ('namespace', 'use_sim_time', 'autostart', 'use_respawn', 'log_level', 'params_file')
# A name this similar to one of ours is a misspelt one.
NEAR = 0.8
_CLOCK = 'velora_ros_publishes_clock'


def launch_description(run: str) -> LaunchDescription:
    """
    Describe a run for ``ros2 launch``, by itself or included in a launch file.

    Args:
        run: a key of ``bringup.ARGUMENTS``.
    """
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=f'{argument.description} true or false.'
            if argument.choices == BOOLEAN
            else argument.description,
        )
        for argument in ARGUMENTS[run]
    ]
    discovery = EnvironmentVariable(DISCOVERY, default_value=DISCOVERY_DEFAULT)
    # In a group, so that what is declared and set here stays here.
    return LaunchDescription(
        [
            GroupAction(
                [
                    OpaqueFunction(function=_forget_others, args=[run]),
                    *declared,
                    SetEnvironmentVariable(DISCOVERY, discovery),
                    OpaqueFunction(function=_start, args=[run]),
                ]
            )
        ]
    )


def _forget_others(context: LaunchContext, run: str) -> None:
    """Drop what a launch file around this one has under the names of our arguments and does not mean for us."""
    given = _given_arguments(context)
    if given is None:
        return
    known = {argument.name for argument in ARGUMENTS[run]}
    for name in sorted(given - known):  # launch takes any name: others may be meant for itself or for its extensions
        if difflib.get_close_matches(name, known, n=1, cutoff=NEAR):
            raise ConfigError(f"there is no argument '{name}'.{did_you_mean(name, known)}")
    found = context.launch_configurations
    dropped = []
    for argument in ARGUMENTS[run]:
        name = argument.name
        if name in found and name not in given and not _is_shared(name, context):
            value = found.pop(name)
            dropped += [name] if value != argument.default else []
    if dropped:
        get_logger('launch').info(
            f'velora_ros: {", ".join(dropped)} of the launch file around are not taken over; '
            'give them as launch arguments of the include where they are meant.'
        )


def _is_shared(name: str, context: LaunchContext) -> bool:
    """Tell whether an argument that a launch file around has, but did not give, holds for this run."""
    if name == 'namespace':  # a pushed namespace is the same said once more
        return 'ros_namespace' not in context.launch_configurations
    if name == 'params_file':
        return names_a_node(context.launch_configurations[name], NODES)
    return name in SHARED


def _given_arguments(context: LaunchContext) -> set[str] | None:
    """
    Return the names of the arguments that the innermost include gives, on the command line if it is ``ros2 launch``'s.

    A launch context does not tell them from what was set before; the include itself can be asked. It is on the stack
    while its content is visited. None where it is not, as when a description is used without an include.
    """
    frame = inspect.currentframe()
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, IncludeLaunchDescription):
                names = (normalize_to_list_of_substitutions(name) for name, _ in value.launch_arguments)
                return {perform_substitutions(context, name) for name in names}
        frame = frame.f_back
    return None


def _start(context: LaunchContext, run: str) -> Actions:
    """Return the nodes for the arguments as given; a wrong one ends the launch with its sentence and status 1."""
    given = {argument.name: context.launch_configurations[argument.name] for argument in ARGUMENTS[run]}
    around = Surroundings(
        namespace=context.launch_configurations.get('ros_namespace', '/'),
        parameters=tuple(context.launch_configurations.get('global_params', ())),
        has_clock=_CLOCK in context.get_locals_as_dict(),
    )
    entries = build(run, given, around)
    params = given['params'] or given['params_file']
    if any(publishes_clock(entry, around, params) for entry in entries):
        context.extend_globals({_CLOCK: True})
    return Group(entries, everything=given['required'].lower() in ('true', '1', 'yes', 'on')).actions


class Group:
    """
    The nodes of one run within a launch, and what the end of one means for the others.

    Args:
        entries: the nodes.
        everything: whether the end of the run is the end of all that the launch runs; its own nodes end in any case.
    """

    def __init__(self, entries: Sequence[Entry], *, everything: bool) -> None:
        self._entries = entries
        self._everything = everything
        self._unfinished = {entry.full_name for entry in entries if entry.ends_run}
        self._stopped: set[str] = set()
        self._judged: set[str] = set()
        self._failure = ''
        self._output: dict[str, bytes] = {}
        self._nodes = {entry.full_name: self._node(entry) for entry in entries}

    @property
    def actions(self) -> Actions:
        """What starts the nodes."""
        handlers = [
            RegisterEventHandler(OnProcessIO(target_action=self._nodes[name], on_stdout=self._listen(name)))
            for name in self._unfinished
        ]
        return [*handlers, *self._nodes.values()]

    def _node(self, entry: Entry) -> Node:
        def on_exit(event: ProcessExited, context: LaunchContext) -> Actions | None:
            return self._after(entry, event.returncode, context)

        respawn: dict[str, Any] = {'respawn': True, 'respawn_delay': RESPAWN_DELAY_S} if entry.respawn else {}
        return Node(
            package=entry.package,
            executable=entry.executable,
            name=entry.name,
            namespace=entry.namespace,
            parameters=[
                *entry.files,
                *(_file(text) for text in entry.sections),
                *([dict(entry.parameters)] if entry.parameters else []),
            ],
            remappings=list(entry.remaps),
            ros_arguments=entry.log_arguments or None,
            output='screen',
            on_exit=on_exit,
            **respawn,
        )

    def _listen(self, name: str) -> Callable[[ProcessIO], Actions | None]:
        """Return what waits for a robot's summary: its controller must not find out by a fault that it is gone."""

        def on_stdout(event: ProcessIO) -> Actions | None:
            *lines, self._output[name] = (self._output.get(name, b'') + event.text).split(b'\n')
            if not any(line.startswith(SUMMARY.encode()) for line in lines):
                return None
            self._judged.add(name)
            return self._stop_robot(name)

        return on_stdout

    def _after(self, entry: Entry, status: int, context: LaunchContext) -> Actions | None:
        """Decide what the end of a process means for the run, as ``processes.Supervisor`` does."""
        if context.is_shutdown or entry.full_name in self._stopped:
            return None
        reason = f'{entry.name} ended with exit status {status}'
        if entry.ends_run and (status == 0 or entry.full_name in self._judged):
            self._unfinished.discard(entry.full_name)
            self._stopped.add(entry.full_name)
            self._failure = self._failure or (reason if status else '')
            if self._unfinished:
                return self._stop_robot(entry.full_name)
            if self._failure:
                return [OpaqueFunction(function=self._fail, args=[self._failure])]
            return [Shutdown(reason='the run is over')] if self._everything else self._stop(self._entries)
        if entry.respawn or not entry.required:
            return None
        failure = OpaqueFunction(function=self._fail, args=[reason])
        wait = entry.linger(status)
        return [TimerAction(period=wait, actions=[failure])] if wait else [failure]

    def _stop_robot(self, name: str) -> Actions:
        """End what belongs to a robot that is gone."""
        namespace = name.rpartition('/')[0] or '/'
        return self._stop([entry for entry in self._entries if entry.namespace == namespace])

    def _stop(self, entries: Sequence[Entry]) -> Actions:
        """End these nodes in order, those that end by themselves left out."""
        names = [entry.full_name for entry in entries if entry.full_name not in self._unfinished | self._stopped]
        self._stopped |= set(names)
        return [EmitEvent(event=ShutdownProcess(process_matcher=matches_action(self._nodes[name]))) for name in names]

    def _fail(self, context: LaunchContext, reason: str) -> Actions:
        """End the nodes; the launch fails when nothing else runs in it, or nothing else shall."""
        if self._everything:
            raise RuntimeError(f'{reason}; the rest stops')
        get_logger('launch').error(f'{reason}; the other nodes of its run stop')

        def on_shutdown(event: Any, context: LaunchContext) -> None:
            # An exception is the only way to an exit status that is not 0; launch logs its text, not a traceback.
            if event.reason == 'idle':
                raise RuntimeError(reason)

        self._unfinished.clear()
        return [RegisterEventHandler(OnShutdown(on_shutdown=on_shutdown)), *self._stop(self._entries)]


def _file(text: str) -> str:
    """Write a parameter file that lasts as long as the launch; return its path."""
    with tempfile.NamedTemporaryFile('w', prefix='velora_ros_', suffix='.yaml', delete=False, encoding='utf-8') as file:
        file.write(text)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name
