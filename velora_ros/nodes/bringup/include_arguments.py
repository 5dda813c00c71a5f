"""
Decides which launch arguments apply to a run that another launch file includes.

``launch`` passes every argument of the outer launch file to an included file. Here, an argument counts only if the
include gives it, or if ROS shares it by convention (``use_sim_time``, ``namespace`` and a few more), because an ``env``
or ``policy`` of the outer file is rarely meant for this run.
"""

import difflib
import inspect

from launch import LaunchContext
from launch.actions import IncludeLaunchDescription
from launch.logging import get_logger
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.bringup.launch_arguments import ARGUMENTS
from velora_ros.nodes.ros.parameter_files import names_a_node

NODES = ('sim_node', 'policy_node', 'trainer_node', 'view_node')
SHARED = ('namespace', 'use_sim_time', 'autostart', 'use_respawn', 'log_level', 'params_file')
# An argument whose name is at least this similar to a known name (difflib's ratio) is a misspelling of it.
MISSPELT = 0.8


def drop_foreign_arguments(context: LaunchContext, run: str) -> None:
    """
    Remove the arguments of the outer launch file that are not meant for this run; log those not at their default.

    Raises:
        ConfigError: the include gives an argument whose name is a misspelling of one of the run's arguments.
    """
    given = given_arguments(context)
    if given is None:
        return
    known = {argument.name for argument in ARGUMENTS[run]}
    for name in sorted(given - known):  # launch accepts any name, which may be meant for launch itself or an extension
        if difflib.get_close_matches(name, known, n=1, cutoff=MISSPELT):
            raise ConfigError(f"there is no argument '{name}'.{did_you_mean(name, known)}")
    configurations = context.launch_configurations
    dropped = []
    for argument in ARGUMENTS[run]:
        name = argument.name
        if name in configurations and name not in given and not _is_shared(name, context):
            value = configurations.pop(name)
            dropped += [name] if value != argument.default else []
    if dropped:
        get_logger('launch').info(
            f'velora_ros: ignored launch arguments of the outer launch file: {", ".join(dropped)}; '
            'to use them, pass them to the include.'
        )


def given_arguments(context: LaunchContext) -> set[str] | None:
    """
    Return the names of the arguments that the innermost include or, for ``ros2 launch``, the command line gives.

    ``launch`` 3.4 has no public function for this: the context also has the outer file's arguments, and does not
    distinguish them. The include has its own arguments, and is on the call stack while its content is visited.

    Returns: The names; None if there is no include, for example when a description is used by itself.
    """
    frame = inspect.currentframe()
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, IncludeLaunchDescription):
                names = (normalize_to_list_of_substitutions(name) for name, _ in value.launch_arguments)
                return {perform_substitutions(context, name) for name in names}
        frame = frame.f_back
    return None


def _is_shared(name: str, context: LaunchContext) -> bool:
    """Return whether an argument of the outer launch file applies to this run although the include does not give it."""
    if name == 'namespace':  # with a pushed namespace it would be applied twice
        return 'ros_namespace' not in context.launch_configurations
    if name == 'params_file':
        return names_a_node(context.launch_configurations[name], NODES)
    return name in SHARED
