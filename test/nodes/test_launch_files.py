"""The launch files against a stand-in of launch that refuses arguments which the real classes lack."""

import runpy
from pathlib import Path

import launch_standin
import pytest
import yaml

from velora_ros.errors import ConfigError
from velora_ros.nodes import bringup
from velora_ros.nodes.processes import parameter_file

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'
RUNS = sorted(path.name.removesuffix('.launch.py') for path in LAUNCH.glob('*.launch.py'))


@pytest.fixture(autouse=True)
def standin(monkeypatch):
    launch_standin.install(monkeypatch)


@pytest.fixture
def policy(make_policy_file, tmp_path):
    path = tmp_path / 'policy.safetensors'
    make_policy_file().save(path)
    return str(path)


def entities(run):
    description = runpy.run_path(str(LAUNCH / f'{run}.launch.py'))['generate_launch_description']()
    return description.initial_entities


def of_type(actions, name):
    return [action for action in actions if type(action).__name__ == name]


def nodes(run, context):
    [start] = of_type(entities(run), 'OpaqueFunction')
    return start.function(context, *start.args)


def context_of(run, **given):
    defaults = {argument.name: argument.default for argument in bringup.ARGUMENTS[run]}
    return launch_standin.LaunchContext(**{**defaults, **given})


def without_parameter_files(command):
    """The command line with each temporary parameter file's name replaced by what is in it."""
    return [yaml.safe_load(Path(word).read_text()) if Path(word).is_file() else word for word in command]


def test_every_run_has_a_launch_file():
    assert set(RUNS) == set(bringup.ARGUMENTS)


@pytest.mark.parametrize('run', RUNS)
def test_every_argument_is_declared_with_default_and_description(run):
    declared = {action.name: action for action in of_type(entities(run), 'DeclareLaunchArgument')}
    assert list(declared) == [argument.name for argument in bringup.ARGUMENTS[run]]
    for argument in bringup.ARGUMENTS[run]:
        assert declared[argument.name].default_value == argument.default
        assert declared[argument.name].description == argument.description
        assert declared[argument.name].choices == (list(argument.choices) or None)


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
        {'namespace': 'robot1', 'use_sim_time': 'true'},
        {'sim': 'false', 'namespace': '/lab/robot1'},
        {'train': 'true', 'steps': '500', 'namespace': 'robot1'},
        {'train': 'true', 'policy': '', 'use_sim_time': 'true'},
    ],
)
def test_launch_and_the_runner_start_the_same_processes(given, policy, tmp_path):
    given = {'policy': policy, **given}
    launched = nodes('control', context_of('control', **given))
    entries = bringup.build('control', given)
    assert [(node.package, node.executable) for node in launched] == [
        (entry.package, entry.executable) for entry in entries
    ]
    for node, entry in zip(launched, entries, strict=True):
        by_launch = launch_standin.node_command(node, tmp_path)
        by_runner = entry.ros_arguments(parameter_file(entry, tmp_path))
        assert without_parameter_files(by_launch) == without_parameter_files(by_runner)


def test_a_wrong_argument_is_refused_with_the_sentence_of_the_list(policy):
    with pytest.raises(ConfigError, match='duration'):
        nodes('control', context_of('control', policy=policy, duration='soon'))


def test_the_end_of_the_simulator_ends_the_run(policy):
    context = context_of('control', policy=policy, duration='5')
    simulator = nodes('control', context)[0]
    [action] = simulator.on_exit(launch_standin.ProcessExited(0), context)
    assert type(action).__name__ == 'Shutdown'
    [action] = simulator.on_exit(launch_standin.ProcessExited(1), context)
    with pytest.raises(RuntimeError, match='sim_node ended with exit status 1'):
        action.function(context, *action.args)


def test_the_death_of_the_policy_fails_the_run_after_the_robot_fell(policy):
    context = context_of('control', policy=policy)
    controller = nodes('control', context)[1]
    [timer] = controller.on_exit(launch_standin.ProcessExited(-9), context)
    assert type(timer).__name__ == 'TimerAction'
    assert timer.period >= 3.0  # an unaided pendulum falls in 0.8 to 2.3 s
    [action] = timer.actions
    with pytest.raises(RuntimeError, match='policy_node ended with exit status -9'):
        action.function(context, *action.args)


def test_ends_during_shutdown_mean_nothing(policy):
    context = context_of('control', policy=policy)
    context.is_shutdown = True
    for node in nodes('control', context):
        assert node.on_exit(launch_standin.ProcessExited(0), context) is None


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('launch_ros.actions.Node', {'executable': 'x', 'node_name': 'y'}),
        ('launch_ros.actions.Node', {'executable': 'x', 'cmd': []}),
        ('launch.actions.DeclareLaunchArgument', {'name': 'x', 'default': 'y'}),
        ('launch.actions.TimerAction', {'delay': 1.0}),
    ],
)
def test_the_standin_refuses_what_the_real_classes_lack(name, arguments):
    module, _, attribute = name.rpartition('.')
    cls = getattr(__import__(module, fromlist=[attribute]), attribute)
    with pytest.raises(TypeError, match='has no argument'):
        cls(**arguments)
