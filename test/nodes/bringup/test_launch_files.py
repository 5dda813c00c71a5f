"""The launch files, with a stand-in for launch that refuses arguments which the real classes lack."""

import runpy
from pathlib import Path

import launch_standin
import pytest
import yaml

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup.launch_arguments import ARGUMENTS
from velora_ros.nodes.bringup.node_process import write_parameter_files
from velora_ros.nodes.bringup.which_nodes_start import build

LAUNCH = Path(__file__).resolve().parents[3] / 'launch'
RUNS = sorted(path.name.removesuffix('.launch.py') for path in LAUNCH.glob('*.launch.py'))


@pytest.fixture(autouse=True)
def standin(monkeypatch):
    launch_standin.install(monkeypatch)


def entities(run):
    description = runpy.run_path(str(LAUNCH / f'{run}.launch.py'))['generate_launch_description']()
    [group] = description.initial_entities
    return group.actions


def of_type(actions, name):
    return [action for action in actions if type(action).__name__ == name]


def start(run, context):
    """The actions of a run's launch file in a context."""
    actions = []
    for function in of_type(entities(run), 'OpaqueFunction'):
        for argument in ARGUMENTS[run]:
            context.launch_configurations.setdefault(argument.name, argument.default)
        actions = function.function(context, *function.args)
    return actions


def nodes(run, context):
    return of_type(start(run, context), 'Node')


def context_of(run, **given):
    defaults = {argument.name: argument.default for argument in ARGUMENTS[run]}
    return launch_standin.LaunchContext(**{**defaults, **given})


def without_parameter_files(command):
    """The command line with the content of each temporary parameter file in the place of its name."""
    return [yaml.safe_load(Path(word).read_text()) if Path(word).is_file() else word for word in command]


def test_every_run_has_a_launch_file():
    assert set(RUNS) == set(ARGUMENTS)


@pytest.mark.parametrize('run', RUNS)
def test_every_argument_is_declared_with_default_and_description(run):
    declared = {action.name: action for action in of_type(entities(run), 'DeclareLaunchArgument')}
    assert list(declared) == [argument.name for argument in ARGUMENTS[run]]
    for argument in ARGUMENTS[run]:
        assert declared[argument.name].default_value == argument.default
        assert declared[argument.name].description.startswith(argument.description)
        assert 'choices' not in declared[argument.name].arguments  # launch's own would refuse True and False


@pytest.mark.parametrize('run', RUNS)
def test_discovery_stays_on_the_machine_unless_the_variable_is_set(run):
    [action] = of_type(entities(run), 'SetEnvironmentVariable')
    assert action.name == action.value.name == 'ROS_AUTOMATIC_DISCOVERY_RANGE'
    assert action.value.default_value == 'LOCALHOST'


@pytest.mark.parametrize(
    'given',
    [
        {},
        {'duration': '60', 'env': 'Hopper-v5', 'seed': '3'},
        {'namespace': 'robot1', 'use_sim_time': 'True', 'log_level': 'debug', 'command_topic': 'commands'},
        {'sim': 'false', 'namespace': '/lab/robot1'},
        {'train': 'true', 'steps': '500', 'namespace': 'robot1'},
        {'train': 'true', 'policy': '', 'use_sim_time': 'true'},
    ],
)
def test_launch_and_the_runner_start_the_same_processes(given, policy, tmp_path):
    given = {'policy': policy, **given}
    launched = nodes('control', context_of('control', **given))
    described = build('control', given)
    assert [(node.package, node.executable) for node in launched] == [('velora_ros', node.name) for node in described]
    for node, description in zip(launched, described, strict=True):
        by_launch = launch_standin.node_command(node, tmp_path)
        by_runner = description.ros_arguments(write_parameter_files(description, tmp_path))
        assert without_parameter_files(by_launch) == without_parameter_files(by_runner)


def test_an_invalid_argument_is_refused_with_the_same_message_as_without_launch(policy):
    with pytest.raises(ConfigError, match='duration'):
        nodes('control', context_of('control', policy=policy, duration='soon'))


def ends(node, status, context):
    return node.on_exit(launch_standin.ProcessExited(status), context) or []


def stopped(actions, among):
    """The full names of the nodes that these actions end."""
    events = [action.event for action in of_type(actions, 'EmitEvent')]
    return [f'{node.namespace}/{node.name}' for node in among if any(event.process_matcher(node) for event in events)]


def two_robots(policy, **more):
    context = context_of('control', policy=policy, robots='2', **more)
    return context, start('control', context)


def test_the_end_of_the_simulator_ends_the_run(policy):
    context = context_of('control', policy=policy, duration='5')
    simulator, controller = nodes('control', context)
    assert stopped(ends(simulator, 0, context), [simulator, controller]) == ['//policy_node']
    context = context_of('control', policy=policy, duration='5', required='True')
    [action] = ends(nodes('control', context)[0], 0, context)
    assert type(action).__name__ == 'Shutdown'


def test_the_summary_of_a_robot_ends_its_controller_before_that_faults(policy):
    context, actions = two_robots(policy, duration='5')
    robots, handlers = of_type(actions, 'Node'), of_type(actions, 'RegisterEventHandler')
    [heard] = [entry.event_handler for entry in handlers if entry.event_handler.target_action is robots[2]]
    assert not heard.on_stdout(launch_standin.ProcessIO(b'a line\n{"event": "control_'))
    actions = heard.on_stdout(launch_standin.ProcessIO(b'summary", "falls": 0}\n'))
    assert stopped(actions, robots) == ['/robot2/policy_node']
    assert ends(robots[3], 0, context) == []  # it was asked to


def test_the_end_of_one_robot_does_not_affect_the_other(policy):
    context, actions = two_robots(policy, duration='5')
    robots = of_type(actions, 'Node')
    assert stopped(ends(robots[0], 0, context), robots) == ['/robot1/policy_node']
    assert stopped(ends(robots[2], 0, context), robots) == ['/robot2/policy_node']


def test_a_robot_that_does_not_pass_leaves_the_other_running_and_the_launch_fails_at_the_end(policy):
    context, actions = two_robots(policy, duration='5')
    robots, handlers = of_type(actions, 'Node'), of_type(actions, 'RegisterEventHandler')
    for entry in handlers:
        entry.event_handler.on_stdout(launch_standin.ProcessIO(b'{"event": "control_summary", "falls": 3}\n'))
    assert ends(robots[0], 1, context) == []  # its own controller has been asked to end already
    [action] = ends(robots[2], 0, context)
    [handler] = of_type(failure_of(action, context), 'RegisterEventHandler')
    with pytest.raises(RuntimeError, match='sim_node ended with exit status 1'):
        handler.event_handler.on_shutdown(launch_standin.ShutdownEvent('idle'), context)


def failure_of(action, context):
    return action.function(context, *action.args)


def test_a_failed_run_ends_its_nodes_and_fails_a_launch_that_runs_nothing_else(policy):
    context = context_of('control', policy=policy, duration='5')
    simulator, controller = nodes('control', context)
    [action] = ends(simulator, 1, context)
    actions = failure_of(action, context)
    assert stopped(actions, [controller]) == ['//policy_node']
    [handler] = of_type(actions, 'RegisterEventHandler')
    handler.event_handler.on_shutdown(launch_standin.ShutdownEvent('ctrl-c (SIGINT)'), context)
    with pytest.raises(RuntimeError, match='sim_node ended with exit status 1'):
        handler.event_handler.on_shutdown(launch_standin.ShutdownEvent('idle'), context)


def test_a_required_run_that_fails_ends_the_launch(policy):
    context = context_of('control', policy=policy, required='true')
    [action] = ends(nodes('control', context)[0], 1, context)
    with pytest.raises(RuntimeError, match='sim_node ended with exit status 1; all other nodes stop'):
        failure_of(action, context)


def test_a_killed_policy_node_fails_the_run_after_the_robot_fell(policy):
    context = context_of('control', policy=policy)
    simulator, controller = nodes('control', context)
    [timer] = ends(controller, -9, context)
    assert type(timer).__name__ == 'TimerAction'
    assert timer.period >= 3.0  # an unaided pendulum falls in 0.8 to 2.3 s
    [action] = timer.actions
    assert stopped(failure_of(action, context), [simulator]) == ['//sim_node']


def test_the_end_of_a_respawned_policy_node_ends_nothing_else(policy):
    context = context_of('control', policy=policy, use_respawn='True', sim='false')
    [controller] = nodes('control', context)
    assert controller.respawn
    assert ends(controller, -9, context) == []


@pytest.mark.parametrize(
    ('pushed', 'given', 'namespace'),
    [('/left', '', '/left'), ('/lab/left', 'arm', '/lab/left/arm'), ('/left', '/arm', '/arm'), ('/', 'arm', '/arm')],
)
def test_a_pushed_namespace_is_applied(policy, pushed, given, namespace):
    context = context_of('control', policy=policy, namespace=given)
    context.launch_configurations['ros_namespace'] = pushed
    assert {node.namespace for node in nodes('control', context)} == {namespace}


def parameters_of(node):
    """The node's parameters from launch and from files, in rcl's order for keys that are its full name."""
    values = {}
    for item in node.parameters:
        sections = {} if isinstance(item, dict) else yaml.safe_load(Path(item).read_text())
        values |= item if isinstance(item, dict) else {}
        for key in (f'/**/{node.name}', f'{node.namespace.rstrip("/")}/{node.name}'):
            values |= sections.get(key, {}).get('ros__parameters', {})
    return values


def test_parameters_set_by_the_outer_launch_file_apply_like_arguments(policy):
    context = context_of('control', policy='')
    context.launch_configurations['global_params'] = [
        ('use_sim_time', True), ('autostart', False), ('policy', policy), ('arm_on_activate', False),
    ]  # fmt: skip
    simulator, controller = nodes('control', context)
    assert parameters_of(simulator)['use_sim_time'] is True
    expected = {'use_sim_time': True, 'autostart': False, 'policy': policy, 'arm_on_activate': False}
    assert expected.items() <= parameters_of(controller).items()


def test_only_one_of_several_includes_with_simulated_time_publishes_the_clock(policy):
    context = context_of('control', policy=policy, namespace='left', use_sim_time='true')
    assert 'publish_clock' not in parameters_of(nodes('control', context)[0])
    context.launch_configurations |= {'namespace': 'right'}
    assert parameters_of(nodes('control', context)[0])['publish_clock'] is False


def include(context, given, **around):
    """Start `control` as an include with these arguments does, in a launch file with those configurations."""
    from launch.actions import IncludeLaunchDescription

    entity = IncludeLaunchDescription(None, launch_arguments=tuple(given.items()))
    context.launch_configurations |= around | given
    actions = start('control', context)
    assert entity is not None
    return of_type(actions, 'Node')


def test_an_include_takes_only_shared_arguments_from_the_outer_launch_file(policy, tmp_path):
    foreign = tmp_path / 'foreign.yaml'
    foreign.write_text('/**/driver:\n  ros__parameters: {baud: 9600}\n')
    around = {'env': 'production', 'seed': '4', 'duration': '9', 'params_file': str(foreign), 'namespace': 'left'}
    simulator, controller = include(launch_standin.LaunchContext(), {'policy': policy}, **around, use_sim_time='True')
    assert simulator.namespace == controller.namespace == '/left'
    assert parameters_of(controller)['use_sim_time'] is True
    assert not {'env', 'seed', 'duration_s'} & parameters_of(simulator).keys()
    assert str(foreign) not in controller.parameters


@pytest.mark.parametrize(
    ('given', 'meant'), [('duraton', 'duration'), ('param', 'params'), ('use_simtime', 'use_sim_time')]
)
def test_a_misspelt_argument_is_refused_and_an_argument_of_launch_itself_is_not(policy, given, meant):
    with pytest.raises(ConfigError, match=f"no argument '{given}'. Did you mean '{meant}'"):
        include(launch_standin.LaunchContext(), {'policy': policy, given: '5'})
    assert include(launch_standin.LaunchContext(), {'policy': policy, 'launch-prefix': 'nice', 'emulate_tty': 'true'})


def test_an_include_takes_a_parameter_file_that_names_its_nodes_and_applies_no_namespace_twice(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text(f'policy_node:\n  ros__parameters: {{policy: {policy}, fallback: none}}\n')
    context = launch_standin.LaunchContext(ros_namespace='/left')
    _, controller = include(context, {'duration': '5'}, params_file=str(own), namespace='left', policy='best_effort')
    assert controller.namespace == '/left'
    assert parameters_of(controller).items() >= {'policy': policy, 'fallback': 'none'}.items()


def test_processes_that_end_during_shutdown_have_no_consequence(policy):
    context = context_of('control', policy=policy)
    context.is_shutdown = True
    for node in nodes('control', context):
        assert ends(node, 0, context) == ends(node, 1, context) == []


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('launch_ros.actions.Node', {'executable': 'x', 'node_name': 'y'}),
        ('launch_ros.actions.Node', {'executable': 'x', 'cmd': []}),
        ('launch.actions.DeclareLaunchArgument', {'name': 'x', 'default': 'y'}),
        ('launch.actions.TimerAction', {'delay': 1.0}),
    ],
)
def test_the_stand_in_refuses_arguments_that_the_real_classes_lack(name, arguments):
    module, _, attribute = name.rpartition('.')
    cls = getattr(__import__(module, fromlist=[attribute]), attribute)
    with pytest.raises(TypeError, match='has no argument'):
        cls(**arguments)
