"""
Lists the nodes of each run, in the order in which they start, with their parameters.

The run ``control`` is a simulated robot and its policy, with ``train:=true`` also the trainer; with ``sim:=false``, it
is the policy of a real robot. The run ``train`` is the trainer alone. ``ros2_launch.py`` and, without ``ros2 launch``,
``command_line.py`` both take the nodes from :func:`build`, so they always agree.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup.argument_checks import (
    check_arguments,
    check_page_is_installed,
    check_policy,
    check_robot,
    check_training_is_installed,
    policy_of_robot,
    seconds,
    shipped_policy,
    whole_number,
)
from velora_ros.nodes.bringup.node_description import NodeDescription, ParameterValue
from velora_ros.nodes.bringup.run_request import EnclosingLaunch, RunRequest
from velora_ros.utils.shipped_files import share_path

# Time for which the simulator continues after policy_node was killed, so that its summary shows the effect [s].
LINGER_S = 5.0
# For a robot that learns while its simulation runs: the run's duration ends its training. Without variation it walks
# sooner (docs/experiments.md, 38). About once a minute, an evaluation with enough episodes to detect falls decides
# whether the policy is replaced.
LEARNING_ROBOT: Mapping[str, ParameterValue] = {
    'total_steps': 10_000_000,
    'env_args': ['undisturbed=true'],
    'eval_every': 100_000,
    'eval_episodes': 32,
}

VIEW_PORT = 8080
"""The default of view_node's parameter ``port``."""


def build(run: str, given: Mapping[str, str], enclosing: EnclosingLaunch | None = None) -> list[NodeDescription]:
    """
    Return the nodes of a run, in the order in which they start.

    Args:
        run: ``control`` or ``train``.
        given: launch arguments by name; missing and empty ones have their defaults.
        enclosing: the settings of an outer launch file; None if there is none.

    Raises:
        ConfigError: the run or an argument is unknown, or a value is invalid.
    """
    request = RunRequest(check_arguments(run, given), enclosing or EnclosingLaunch())
    return {'control': _control, 'train': _train}[run](request)


def _control(request: RunRequest) -> list[NodeDescription]:
    """Return the nodes of one robot, or of several, each in its own namespace and with its own seed."""
    robots = whole_number('robots', request['robots'])
    if robots < 1 or (robots > 1 and request.true('train')):
        raise ConfigError(f"the argument 'robots' is {robots}; it must be at least 1, and 1 with train:=true.")
    if robots == 1:
        return _robot(request)
    if request['command_topic'].startswith('/'):
        raise ConfigError(
            f"the argument 'command_topic' is '{request['command_topic']}', one topic for {robots} robots; omit the "
            'leading slash, so that each robot has its own topic.'
        )
    return [node for index in range(robots) for node in _robot(_one_of_several(request, index))]


def _one_of_several(request: RunRequest, index: int) -> RunRequest:
    """Return the request for one of several robots; only the first simulator publishes ``/clock``."""
    outer = request['namespace'].rstrip('/')
    own = {
        'namespace': f'{outer}/robot{index + 1}' if request['namespace'] else f'robot{index + 1}',
        'seed': str(request.seed('sim_node') + index),
    }
    if request.true('view'):
        own['view_port'] = str(_view_port(request) + index)
    enclosing = dataclasses.replace(request.enclosing, has_clock=request.enclosing.has_clock or index > 0)
    return RunRequest({**request.arguments, **own}, enclosing)


def _robot(request: RunRequest) -> list[NodeDescription]:
    """Return the requested nodes of one robot: simulator, policy, trainer and view."""
    simulated, training = request.true('sim'), request.true('train')
    _check_combination(request, simulated=simulated, training=training)
    run_folder = _run_folder(request) if training else ''
    nodes = []
    if simulated:
        nodes.append(_sim_node(request, learning=training))
    # Only a simulated robot uses policies from training, which nobody has tested.
    nodes.append(_policy_node(request, simulated=simulated, follow=run_folder if simulated else ''))
    if training:
        nodes.append(_trainer_beside_a_robot(request, run_folder, followed=simulated))
    if request.true('view'):
        nodes.append(_view_node(request, simulated=simulated))
    return nodes


def _train(request: RunRequest) -> list[NodeDescription]:
    """Return only the training node; the run ends when training ends."""
    parameters = _trainer_parameters(request, _run_folder(request)) | {'exit_when_done': True}
    return [_node(request, 'trainer_node', ['trainer_node.yaml'], parameters, ends_run=True)]


# --- the nodes -----------------------------------------------------------------------------------------------------


def _sim_node(request: RunRequest, *, learning: bool) -> NodeDescription:
    duration = seconds('duration', request['duration'])
    parameters = {**_env_and_seed(request), **_robot_and_driver(request), **_clock(request), 'summary_line': True}
    if duration:
        parameters['duration_s'] = duration
    if request.enclosing.has_clock:  # only one of several simulators publishes it
        parameters['publish_clock'] = False
    if learning:
        parameters['learning'] = True
    return _node(
        request,
        'sim_node',
        ['sim_node.yaml'],
        parameters,
        remaps=_command_remap(request),
        ends_run=True,
        publishes_clock=_publishes_clock(request, parameters),
    )


def _policy_node(request: RunRequest, *, simulated: bool, follow: str) -> NodeDescription:
    """Describe policy_node; ``follow`` is the run folder from which it loads each better policy, '' for none."""
    parameters = _autostart(request, 'policy_node') | _clock(request)
    policy = request['policy'] or request.file_value('policy_node', 'policy')
    if not policy and not simulated:
        raise ConfigError(
            "the argument 'policy' is empty, but a real robot (sim:=false) has no default policy; add policy:=FILE, or "
            "set the parameter 'policy' of policy_node in the parameter file (params)."
        )
    if request['policy']:
        parameters['policy'] = request['policy']
    elif not policy and not follow:
        robot = request.robot
        parameters['policy'] = policy_of_robot(robot) if robot else shipped_policy(request.env('sim_node'))
    check_policy(str(policy or ''))
    if follow:
        parameters |= {'follow_trainer': True, 'policy_dirs': [follow]}
        if request.file_value('policy_node', 'auto_recover') is None:
            # Writing a large checkpoint can delay all processes for longer than the watchdog allows. Policies from
            # training only run on a simulated robot, which may continue at the next state.
            parameters['auto_recover'] = True
    # control.yaml arms the robot automatically, so only a simulated one gets it.
    files = ['policy_node.yaml', *(['control.yaml'] if simulated else [])]
    updates = (('policy_update', 'trainer_node/policy'),) if follow else ()
    return _node(
        request,
        'policy_node',
        files,
        parameters,
        remaps=(*_command_remap(request), *updates),
        linger_s=LINGER_S if simulated else 0.0,
        respawn=request.true('use_respawn'),
    )


def _trainer_beside_a_robot(request: RunRequest, run_folder: str, *, followed: bool) -> NodeDescription:
    """
    Describe trainer_node.

    If ``followed``, policy_node loads its policies, and the run ends when trainer_node ends.
    """
    parameters = _trainer_parameters(request, run_folder) | _clock(request)
    if request.robot:
        parameters['task'] = request.robot
        for name, value in LEARNING_ROBOT.items():
            if name not in parameters and request.file_value('trainer_node', name) is None:
                parameters[name] = value
    if followed:
        rival = request['policy'] or request.file_value('policy_node', 'policy')
        # Without a policy of its own, policy_node waits for the first one.
        parameters |= {'rival': str(rival)} if rival else {'announce_untrained': True, 'exit_when_failed': True}
    return _node(request, 'trainer_node', ['trainer_node.yaml', 'control.yaml'], parameters, required=followed)


def _view_node(request: RunRequest, *, simulated: bool) -> NodeDescription:
    """Describe view_node; it shows the robot of sim_node, or a real robot from its ``robot_description``."""
    check_page_is_installed()
    shown = request.robot or (request.env('sim_node') if simulated else request['env'])
    parameters: dict[str, ParameterValue] = {'model': shown} if shown else {}
    if request['view_port']:
        parameters['port'] = whole_number('view_port', request['view_port'])
    return _node(request, 'view_node', [], parameters | _clock(request), remaps=_command_remap(request), required=False)


def _view_port(request: RunRequest) -> int:
    """Return the port of the first page: from the argument, else from the parameter files, else the default."""
    given = request['view_port'] or request.file_value('view_node', 'port')
    return whole_number('view_port', str(given)) if given else VIEW_PORT


def _node(
    request: RunRequest, name: str, files: list[str], parameters: Mapping[str, ParameterValue], **options: Any
) -> NodeDescription:
    """Describe a node with its shipped parameter files, the user's file, and the parameters that arguments set."""
    own = [str(Path(request['params']).expanduser())] if request['params'] else []
    return NodeDescription(
        name,
        f'velora_ros.nodes.{name.removesuffix("_node")}',
        request.namespace,
        files=(*(str(share_path('config', file)) for file in files), *own),
        sections=request.sections(name),
        parameters=parameters,
        log_level=request['log_level'],
        **options,
    )


# --- parameters from arguments -------------------------------------------------------------------------------------


def _trainer_parameters(request: RunRequest, run_folder: str) -> dict[str, ParameterValue]:
    parameters = {**_env_and_seed(request), 'run_dir': run_folder, **_autostart(request, 'trainer_node')}
    if request['steps']:
        parameters['total_steps'] = whole_number('steps', request['steps'])
    if request['out']:
        parameters['out'] = request['out']
    return parameters


def _env_and_seed(request: RunRequest) -> dict[str, ParameterValue]:
    """Return the parameters ``env`` and ``seed`` if arguments set them; otherwise the parameter files decide."""
    env: dict[str, ParameterValue] = {'env': request['env']} if request['env'] else {}
    return env | ({'seed': whole_number('seed', request['seed'])} if request['seed'] else {})


def _robot_and_driver(request: RunRequest) -> dict[str, ParameterValue]:
    """Return the parameters ``task`` and ``drive`` that follow from arguments; otherwise the parameter files decide."""
    chosen = request['robot'] or (request['env'] and request.file_value('sim_node', 'task'))
    parameters: dict[str, ParameterValue] = {'task': request['robot']} if chosen else {}
    if request['drive']:
        return parameters | {'drive': request.true('drive')}
    driven = bool(request['robot']) and request.file_value('sim_node', 'drive') is None
    return parameters | ({'drive': True} if driven else {})


def _clock(request: RunRequest) -> dict[str, ParameterValue]:
    """Return ``use_sim_time`` if the argument sets it; otherwise the parameter files decide."""
    return {'use_sim_time': request.true('use_sim_time')} if request['use_sim_time'] else {}


def _publishes_clock(request: RunRequest, parameters: Mapping[str, ParameterValue]) -> bool:
    """Return whether sim_node will publish ``/clock``, as ``publish_clock`` or, by default, ``use_sim_time`` says."""
    for name in ('publish_clock', 'use_sim_time'):
        value = parameters.get(name, request.file_value('sim_node', name))
        if value is not None:
            return bool(value)
    return False


def _autostart(request: RunRequest, node: str) -> dict[str, ParameterValue]:
    """Return the parameter ``autostart``: from the argument, else from the parameter files, else true."""
    if request['autostart']:
        return {'autostart': request.true('autostart')}
    return {} if request.file_value(node, 'autostart') is not None else {'autostart': True}


def _command_remap(request: RunRequest) -> tuple[tuple[str, str], ...]:
    return (('command', request['command_topic']),) if request['command_topic'] else ()


def _run_folder(request: RunRequest) -> str:
    """Return the absolute path of the run folder, which policy_node also needs to load policies from there."""
    check_training_is_installed()
    from velora_ros.training.runs.paths import default_folder  # noqa: PLC0415 - control alone loads no training

    given = request['run_dir'] or request.file_value('trainer_node', 'run_dir')
    folder = given or default_folder(request.robot or request.env('trainer_node'), request.seed('trainer_node'))
    return str(Path(folder).expanduser().absolute())


def _check_combination(request: RunRequest, *, simulated: bool, training: bool) -> None:
    check_robot(request['robot'])
    if request['robot'] and request['env']:
        raise ConfigError(
            f"the arguments 'env' and 'robot' are '{request['env']}' and '{request['robot']}'; give one of them."
        )
    if request['drive'] and not request.robot:
        raise ConfigError(
            "the argument 'drive' is set, but only a task's robot can be driven; add a robot, for example "
            'robot:=quadruped, or omit the argument.'
        )
    if request.true('drive') and not simulated:
        raise ConfigError(
            "the argument 'drive' is true, but only a simulated robot (sim:=true) can be driven; omit the argument."
        )
    duration = seconds('duration', request['duration'])
    if duration and not simulated:
        raise ConfigError(
            f"the argument 'duration' is {duration:g}, but only a run with a simulated robot (sim:=true) ends by "
            'itself; omit the argument.'
        )
    if request['view_port'] and not request.true('view'):
        raise ConfigError(
            f"the argument 'view_port' is '{request['view_port']}', but no page is served; add view:=true, or omit the "
            'argument.'
        )
    for name in ('steps', 'run_dir'):
        if request[name] and not training:
            raise ConfigError(
                f"the argument '{name}' is '{request[name]}', but nothing is trained; add train:=true, or omit the "
                'argument.'
            )
