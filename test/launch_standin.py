"""
A small stand-in for the parts of ROS 2's launch that bringup uses, for machines without launch.

The classes accept exactly the arguments of launch 3.4 and launch_ros 0.26 (Jazzy) and refuse others;
``node_command`` builds the command line in the order of ``launch_ros.actions.Node``. Where launch is installed,
``test_launch_run.py`` runs the launch file with them.
"""

import logging
import sys
import types
from pathlib import Path

import yaml

# Keyword-only parameters, from the bottom of the class hierarchy up; `*` separates positional ones from them.
_ACTION = 'condition'
_EXECUTE_LOCAL = (
    'shell sigterm_timeout sigkill_timeout emulate_tty output output_format cached_output log_cmd on_exit respawn '
    'respawn_delay respawn_max_retries'
)
_HANDLER = 'handle_once'
_EXECUTABLE = 'prefix cwd env additional_env'
SIGNATURES = {
    'launch.LaunchDescription': 'initial_entities * deprecated_reason',
    'launch.actions.DeclareLaunchArgument': f'name * default_value description choices {_ACTION}',
    'launch.actions.EmitEvent': f'* event {_ACTION}',
    'launch.actions.GroupAction': f'actions * scoped forwarding launch_configurations {_ACTION}',
    'launch.actions.IncludeLaunchDescription': f'launch_description_source * launch_arguments {_ACTION}',
    'launch.actions.RegisterEventHandler': f'event_handler * {_ACTION}',
    'launch.actions.OpaqueFunction': f'* function args kwargs {_ACTION}',
    'launch.actions.SetEnvironmentVariable': f'name value * {_ACTION}',
    'launch.actions.Shutdown': f'* reason {_ACTION}',
    'launch.actions.TimerAction': f'* period actions cancel_on_shutdown {_ACTION}',
    'launch.event_handlers.OnProcessIO': f'* target_action on_stdin on_stdout on_stderr {_HANDLER}',
    'launch.event_handlers.OnShutdown': f'* on_shutdown {_HANDLER}',
    'launch.events.process.ShutdownProcess': '* process_matcher',
    'launch.substitutions.EnvironmentVariable': 'name * default_value',
    'launch_ros.actions.Node': (
        '* executable package name namespace exec_name parameters remappings ros_arguments arguments '
        f'{_EXECUTABLE} {_EXECUTE_LOCAL} {_ACTION}'
    ),
}


NEED_LAUNCH = ('ros2_launch', 'launch_actions', 'include_arguments')
"""The modules of bringup that import launch, which is not on the package index."""


class StandIn:
    """An object that stores its arguments and refuses those that the real class lacks."""

    signature = ''

    def __init__(self, *args, **kwargs):
        positional, _, keywords = self.signature.partition('*')
        positional, known = positional.split(), [*positional.split(), *keywords.split()]
        if len(args) > len(positional):
            raise TypeError(f'{type(self).__name__} takes {len(positional)} positional arguments, not {len(args)}')
        if unknown := kwargs.keys() - set(known):
            raise TypeError(f'{type(self).__name__} has no argument {", ".join(sorted(unknown))}')
        self.arguments = {**dict(zip(positional, args, strict=False)), **kwargs}

    def __getattr__(self, name):
        try:
            return self.__dict__['arguments'][name]
        except KeyError:
            raise AttributeError(name) from None


class LaunchContext:
    """The attributes of the real one that our functions use."""

    def __init__(self, **configurations):
        self.launch_configurations = configurations
        self.is_shutdown = False
        self.globals = {}

    def extend_globals(self, extensions):
        self.globals.update(extensions)

    def get_locals_as_dict(self):
        return dict(self.globals)


class ProcessIO:
    """The event of a process's output."""

    def __init__(self, text):
        self.text = text


class ShutdownEvent:
    """The event with which a launch ends."""

    def __init__(self, reason):
        self.reason = reason


def matches_action(action):
    return lambda other: other is action


def normalize_to_list_of_substitutions(value):
    return [value]


def perform_substitutions(context, substitutions):
    return ''.join(substitutions)


class ProcessExited:
    """The event of a process's end."""

    def __init__(self, returncode):
        self.returncode = returncode


def node_command(node, folder):
    """Return the arguments with which launch_ros would start the node; its dictionaries are written below `folder`."""
    namespace = node.namespace if node.namespace.startswith('/') else f'/{node.namespace}'
    ros_arguments = node.arguments.get('ros_arguments')
    command = [*(node.arguments.get('arguments') or []), *(['--ros-args', *ros_arguments] if ros_arguments else [])]
    command += ['--ros-args', '-r', f'__node:={node.name}']
    command += ['-r', f'__ns:={namespace}']
    for index, parameters in enumerate(node.parameters):
        if isinstance(parameters, dict):
            path = Path(folder) / f'launch_params_{index}'
            name = f'{namespace.rstrip("/")}/{node.name}'
            path.write_text(yaml.dump({name: {'ros__parameters': parameters}}, default_flow_style=False))
            command += ['--params-file', str(path)]
        else:
            command += ['--params-file', str(parameters)]
    for source, target in node.remappings or []:
        command += ['-r', f'{source}:={target}']
    return command


def install(monkeypatch):
    """Replace the modules `launch` and `launch_ros` by the stand-in for one test."""
    contents = {
        name: type(name.rpartition('.')[2], (StandIn,), {'signature': text}) for name, text in SIGNATURES.items()
    }
    contents |= {
        'launch.LaunchContext': LaunchContext,
        'launch.events.matches_action': matches_action,
        'launch.events.process.ProcessExited': ProcessExited,
        'launch.events.process.ProcessIO': ProcessIO,
        'launch.logging.get_logger': logging.getLogger,
        'launch.utilities.normalize_to_list_of_substitutions': normalize_to_list_of_substitutions,
        'launch.utilities.perform_substitutions': perform_substitutions,
    }
    for name, value in contents.items():
        module, _, attribute = name.rpartition('.')
        parts = module.split('.')
        for length in range(1, len(parts) + 1):
            path = '.'.join(parts[:length])
            if not isinstance(sys.modules.get(path), _Module):
                monkeypatch.setitem(sys.modules, path, _Module(path))
        setattr(sys.modules[module], attribute, value)
    for name in NEED_LAUNCH:
        monkeypatch.delitem(sys.modules, f'velora_ros.nodes.bringup.{name}', raising=False)


class _Module(types.ModuleType):
    """An empty package."""

    def __init__(self, name):
        super().__init__(name)
        self.__path__ = []
