"""Describes a run for ``ros2 launch``: its arguments and its nodes. The launch files call only this module."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable

from velora_ros.nodes.bringup.include_arguments import drop_foreign_arguments
from velora_ros.nodes.bringup.launch_actions import Actions, RunActions
from velora_ros.nodes.bringup.launch_arguments import ARGUMENTS, BOOLEAN, Argument
from velora_ros.nodes.bringup.node_description import DISCOVERY, DISCOVERY_DEFAULT
from velora_ros.nodes.bringup.run_request import EnclosingLaunch
from velora_ros.nodes.bringup.which_nodes_start import build

# Launch configuration that is set if one of the simulators publishes /clock.
_HAS_CLOCK = 'velora_ros_publishes_clock'


def launch_description(run: str) -> LaunchDescription:
    """
    Describe a run for ``ros2 launch``; another launch file can include it.

    Args:
        run: ``control`` or ``train``.
    """
    # In a group, so that declarations and settings here do not affect the rest of the launch.
    group = GroupAction(
        [
            OpaqueFunction(function=drop_foreign_arguments, args=[run]),
            *(_declare(argument) for argument in ARGUMENTS[run]),
            SetEnvironmentVariable(DISCOVERY, EnvironmentVariable(DISCOVERY, default_value=DISCOVERY_DEFAULT)),
            OpaqueFunction(function=_start, args=[run]),
        ]
    )
    return LaunchDescription([group])


def _declare(argument: Argument) -> DeclareLaunchArgument:
    # Without launch's own choices, which would refuse True and False.
    suffix = ' true or false.' if argument.choices == BOOLEAN else ''
    return DeclareLaunchArgument(
        argument.name, default_value=argument.default, description=f'{argument.description}{suffix}'
    )


def _start(context: LaunchContext, run: str) -> Actions:
    """Return the actions that start the nodes; an invalid argument ends the launch with an error and status 1."""
    given = {argument.name: context.launch_configurations[argument.name] for argument in ARGUMENTS[run]}
    enclosing = EnclosingLaunch(
        namespace=context.launch_configurations.get('ros_namespace', '/'),
        parameters=tuple(context.launch_configurations.get('global_params', ())),
        has_clock=_HAS_CLOCK in context.get_locals_as_dict(),
    )
    nodes = build(run, given, enclosing)
    if any(node.publishes_clock for node in nodes):
        context.extend_globals({_HAS_CLOCK: True})
    return RunActions(nodes, ends_launch=given['required'].lower() in ('true', '1', 'yes', 'on')).actions
