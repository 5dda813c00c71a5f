"""Turns the list of nodes in ``bringup.py`` into launch actions; the launch files are one call of it each."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown, TimerAction
from launch.events.process import ProcessExited
from launch.substitutions import EnvironmentVariable
from launch_ros.actions import Node

from velora_ros.nodes.bringup import ARGUMENTS, build
from velora_ros.nodes.entries import DISCOVERY, DISCOVERY_DEFAULT, Entry

Actions = list[DeclareLaunchArgument | OpaqueFunction | SetEnvironmentVariable | Shutdown | TimerAction | Node]


def launch_description(run: str) -> LaunchDescription:
    """
    Describe a run for ``ros2 launch``.

    Args:
        run: a key of ``bringup.ARGUMENTS``.
    """
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in ARGUMENTS[run]
    ]
    discovery = EnvironmentVariable(DISCOVERY, default_value=DISCOVERY_DEFAULT)
    return LaunchDescription(
        [*declared, SetEnvironmentVariable(DISCOVERY, discovery), OpaqueFunction(function=_nodes, args=[run])]
    )


def _nodes(context: LaunchContext, run: str) -> Actions:
    """Return the nodes for the arguments as given; a wrong one ends the launch with its sentence and status 1."""
    given = {argument.name: context.launch_configurations[argument.name] for argument in ARGUMENTS[run]}
    entries = build(run, given)
    unfinished = {entry.full_name for entry in entries if entry.ends_run}
    return [_node(entry, unfinished) for entry in entries]


def _node(entry: Entry, unfinished: set[str]) -> Node:
    def on_exit(event: ProcessExited, context: LaunchContext) -> Actions | None:
        unfinished.discard(entry.full_name)
        return _after(entry, event.returncode, context, over=not unfinished)

    return Node(
        package=entry.package,
        executable=entry.executable,
        name=entry.name,
        namespace=entry.namespace,
        parameters=[*entry.files, *([dict(entry.parameters)] if entry.parameters else [])],
        remappings=list(entry.remaps),
        output='screen',
        on_exit=on_exit,
    )


def _after(entry: Entry, status: int, context: LaunchContext, *, over: bool) -> Actions | None:
    """Decide what the end of a process means for the run, as ``processes.Supervisor`` does."""
    if context.is_shutdown:
        return None
    if entry.ends_run and status == 0:
        return [Shutdown(reason='the run is over')] if over else None
    if not entry.required:
        return None
    failure = OpaqueFunction(function=_fail, args=[f'{entry.name} ended with exit status {status}'])
    wait = entry.linger(status)
    return [TimerAction(period=wait, actions=[failure])] if wait else [failure]


def _fail(context: LaunchContext, reason: str) -> None:
    # An exception is the only way to an exit status that is not 0; launch logs its text, not a traceback.
    raise RuntimeError(f'{reason}; the rest stops')
