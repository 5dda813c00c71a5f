"""The nodes of each run, their order and their parameters, for launch arguments and parameter files."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup.which_nodes_start import build


def test_control_starts_the_simulator_and_the_policy(policy):
    simulator, controller = build('control', {'policy': policy, 'duration': '60', 'env': 'Hopper-v5', 'seed': '4'})
    assert (simulator.name, controller.name) == ('sim_node', 'policy_node')
    assert simulator.parameters == {'env': 'Hopper-v5', 'seed': 4, 'duration_s': 60.0, 'summary_line': True}
    assert controller.parameters == {'policy': policy, 'autostart': True}
    assert simulator.required
    assert simulator.ends_run
    assert controller.required


@pytest.fixture
def own(tmp_path):
    """A user's parameter file for all nodes."""
    path = tmp_path / 'own.yaml'
    path.write_text(
        '/**/sim_node:\n  ros__parameters: {env: InvertedDoublePendulum-v5, seed: 7}\n'
        f'/**/trainer_node:\n  ros__parameters: {{env: Hopper-v5, seed: 8, run_dir: {tmp_path / "run"}}}\n'
    )
    return path


def test_without_an_argument_the_user_s_parameter_file_decides(own):
    simulator, controller = build('control', {'params': str(own)})
    assert simulator.files[-1] == controller.files[-1] == str(own)
    assert not {'env', 'seed'} & simulator.parameters.keys()
    assert Path(controller.parameters['policy']).stem == 'InvertedDoublePendulum-v5'
    [trainer] = build('train', {'params': str(own)})
    assert not {'env', 'seed'} & trainer.parameters.keys()
    assert trainer.parameters['run_dir'] == str(own.parent / 'run')
    _, controller, trainer = build('control', {'params': str(own), 'train': 'true'})
    assert controller.parameters['policy_dirs'] == [trainer.parameters['run_dir']] == [str(own.parent / 'run')]
    robots = build('control', {'params': str(own), 'robots': '2'})[::2]
    assert [robot.parameters['seed'] for robot in robots] == [7, 8]


def test_an_argument_overrides_the_user_s_parameter_file(own):
    given = {'params': str(own), 'env': 'InvertedPendulum-v5', 'seed': '4'}
    simulator, controller = build('control', given)
    assert simulator.parameters == {'env': 'InvertedPendulum-v5', 'seed': 4, 'summary_line': True}
    assert Path(controller.parameters['policy']).stem == 'InvertedPendulum-v5'
    [trainer] = build('train', given | {'run_dir': '~/run'})
    assert trainer.parameters['seed'] == 4
    assert trainer.parameters['run_dir'] == str(Path('~/run').expanduser())


def test_the_user_s_parameter_file_can_set_the_policy(own, policy):
    own.write_text(f'/**/policy_node:\n  ros__parameters: {{policy: {policy}}}\n')
    _, controller = build('control', {'params': str(own), 'env': 'Hopper-v5'})
    assert 'policy' not in controller.parameters
    *_, trainer = build('control', {'params': str(own), 'train': 'true'})
    assert trainer.parameters['rival'] == policy


def test_only_a_simulated_robot_is_armed_automatically(policy):
    def armed(entries):
        settings = {}
        for file in entries[-1].files:
            settings |= yaml.safe_load(Path(file).read_text())['/**/policy_node']['ros__parameters']
        return settings['arm_on_activate']

    assert armed(build('control', {'policy': policy}))
    assert not armed(build('control', {'policy': policy, 'sim': 'false'}))


def niceness(trainer):
    """The parameter `nice` in the trainer's files; later files override earlier ones."""
    sections = [yaml.safe_load(Path(file).read_text())['/**/trainer_node'] for file in trainer.files]
    return {name: value for section in sections for name, value in section['ros__parameters'].items()}.get('nice', 0)


def test_beside_a_training_the_user_decides_whether_faults_clear_by_themselves(tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**/policy_node: {ros__parameters: {auto_recover: false}}')
    controller = build('control', {'train': 'true', 'run_dir': str(tmp_path / 'run'), 'params': str(file)})[1]
    assert controller.name == 'policy_node' and 'auto_recover' not in controller.parameters


def test_with_training_policy_node_takes_the_trainer_s_policies_from_the_untrained_one_on(tmp_path):
    run = str(tmp_path / 'run')
    simulator, controller, trainer = build('control', {'train': 'true', 'steps': '500', 'seed': '4', 'run_dir': run})
    assert simulator.parameters['learning'] is True
    wanted = {'autostart': True, 'follow_trainer': True, 'policy_dirs': [run], 'auto_recover': True}
    assert controller.parameters == wanted
    assert controller.remaps == (('policy_update', 'trainer_node/policy'),)
    assert trainer.name == 'trainer_node'
    expected = {'run_dir': run, 'total_steps': 500, 'seed': 4, 'announce_untrained': True, 'autostart': True}
    assert expected.items() <= trainer.parameters.items()
    assert niceness(trainer) > 0
    assert 'exit_when_done' not in trainer.parameters
    assert trainer.required


def test_with_training_a_given_policy_commands_until_a_better_one_is_found(policy):
    _, controller, trainer = build('control', {'train': 'true', 'policy': policy})
    assert controller.parameters['policy'] == trainer.parameters['rival'] == policy
    assert controller.parameters['follow_trainer'] is True
    assert not {'announce_untrained', 'exit_when_failed'} & trainer.parameters.keys()


def test_a_real_robot_never_follows_a_trainer(policy):
    controller, trainer = build('control', {'train': 'true', 'sim': 'false', 'policy': policy})
    assert controller.parameters == {'autostart': True, 'policy': policy}
    assert controller.remaps == ()
    assert not trainer.required


def test_a_run_without_a_folder_gets_a_new_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = []
    for _ in range(2):
        [trainer] = build('train', {'env': 'Hopper-v5', 'seed': '3'})
        folders.append(Path(trainer.parameters['run_dir']))
        folders[-1].mkdir(parents=True)
        (folders[-1] / 'config.yaml').touch()
    assert folders == [tmp_path / 'runs' / name for name in ('Hopper-v5-seed3', 'Hopper-v5-seed3-2')]


def test_a_run_of_training_alone_ends_with_the_training(tmp_path):
    [trainer] = build('train', {'out': 'best.safetensors', 'run_dir': str(tmp_path)})
    assert trainer.parameters['exit_when_done'] is True
    assert trainer.parameters['out'] == 'best.safetensors'
    assert trainer.ends_run
    assert niceness(trainer) == 0


def test_training_without_its_packages_is_refused_with_the_install_command(monkeypatch):
    for missing in ('torch', 'threadpoolctl', 'array_api_compat'):
        monkeypatch.setattr(importlib.util, 'find_spec', lambda name, missing=missing: name != missing or None)
        for run, given in (('train', {}), ('control', {'train': 'true'})):
            with pytest.raises(ConfigError, match=f'training needs {missing}, which is not installed') as refusal:
                build(run, given)
            assert "pip install torch 'gymnasium[torch]' " in str(refusal.value)


def test_a_real_robot_gets_no_simulator(policy):
    [controller] = build('control', {'policy': policy, 'sim': 'false', 'namespace': 'robot1'})
    assert controller.full_name == '/robot1/policy_node'
    assert controller.linger_s == 0.0


@pytest.mark.parametrize('yes', ['true', 'True', '1'])
def test_simulated_time_goes_to_every_node(policy, yes):
    for entry in build('control', {'policy': policy, 'use_sim_time': yes}):
        assert entry.parameters['use_sim_time'] is True
    for entry in build('control', {'policy': policy, 'use_sim_time': 'False'}):
        assert entry.parameters['use_sim_time'] is False
    for entry in build('control', {'policy': policy}):
        assert 'use_sim_time' not in entry.parameters


def test_every_spelling_of_a_boolean_is_accepted(policy):
    assert len(build('control', {'policy': policy, 'sim': 'False'})) == 1
    assert len(build('control', {'policy': policy, 'sim': 'TRUE', 'train': '0'})) == 2


def test_autostart_is_true_unless_an_argument_or_the_user_s_file_sets_it(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('policy_node:\n  ros__parameters: {autostart: false}\n')
    given = {'policy': policy, 'sim': 'false'}
    assert build('control', given)[0].parameters['autostart'] is True
    assert build('control', {**given, 'autostart': 'False'})[0].parameters['autostart'] is False
    for namespace in ('', 'left'):
        [entry] = build('control', {**given, 'params_file': str(own), 'namespace': namespace})
        assert 'autostart' not in entry.parameters
        assert entry.files[-1] == str(own)
    assert 'autostart: false' in entry.sections[-1]  # rcl itself would not find it in the namespace
    [entry] = build('control', {**given, 'params_file': str(own), 'autostart': 'true'})
    assert entry.parameters['autostart'] is True


def test_the_command_topic_can_be_remapped(policy):
    entries = build('control', {'policy': policy, 'command_topic': 'forward_effort_controller/commands'})
    assert [entry.remaps for entry in entries] == [(('command', 'forward_effort_controller/commands'),)] * 2


def test_a_real_robot_takes_the_policy_of_the_user_s_file(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text(f'left:\n  policy_node:\n    ros__parameters: {{policy: {policy}}}\n')
    [entry] = build('control', {'params': str(own), 'sim': 'False', 'namespace': '/left'})
    assert 'policy' not in entry.parameters
    with pytest.raises(ConfigError, match="'policy' is empty"):
        build('control', {'params': str(own), 'sim': 'False', 'namespace': '/right'})
    own.write_text('/**:\n  ros__parameters: {policy: nowhere.safetensors}\n')
    with pytest.raises(ConfigError, match="the policy is 'nowhere"):
        build('control', {'params': str(own)})


def test_the_user_s_file_comes_after_the_shipped_files(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('/**/policy_node:\n  ros__parameters:\n    fallback: zero\n')
    for entry in build('control', {'policy': policy, 'params': str(own)}):
        assert entry.files[-1] == str(own)
        assert all(Path(file).is_file() for file in entry.files)


@pytest.mark.parametrize(('given', 'namespace'), [('', '/'), ('/', '/'), ('r1', '/r1'), ('/a/b', '/a/b')])
def test_namespaces_become_absolute(policy, given, namespace):
    assert {entry.namespace for entry in build('control', {'policy': policy, 'namespace': given})} == {namespace}


def test_several_robots_have_a_namespace_and_a_seed_each_and_one_clock(policy):
    given = {'policy': policy, 'robots': '2', 'namespace': 'lab', 'seed': '5', 'use_sim_time': 'true'}
    entries = build('control', given)
    names = ['sim_node', 'policy_node']
    assert [entry.full_name for entry in entries] == [f'/lab/robot{n}/{name}' for n in (1, 2) for name in names]
    simulators = [entry.parameters for entry in entries if entry.name == 'sim_node']
    assert [parameters['seed'] for parameters in simulators] == [5, 6]
    assert [parameters.get('publish_clock') for parameters in simulators] == [None, False]
    assert [entry.namespace for entry in build('control', {**given, 'namespace': '', 'sim': 'false'})] == [
        '/robot1',
        '/robot2',
    ]


def test_a_robot_starts_with_its_policy_and_the_driver():
    simulator, controller = build('control', {'robot': 'quadruped'})
    assert simulator.parameters == {'task': 'quadruped', 'drive': True, 'summary_line': True}
    assert Path(controller.parameters['policy']).name == 'quadruped.safetensors'
    undriven, _ = build('control', {'robot': 'quadruped', 'drive': 'false'})
    assert undriven.parameters['drive'] is False


def test_the_user_s_parameter_file_can_name_the_robot_and_an_environment_overrides_it(tmp_path):
    path = tmp_path / 'own.yaml'
    path.write_text('/**/sim_node:\n  ros__parameters: {task: quadruped, drive: false}\n')
    simulator, controller = build('control', {'params': str(path)})
    assert not {'task', 'drive'} & simulator.parameters.keys()
    assert Path(controller.parameters['policy']).name == 'quadruped.safetensors'
    simulator, controller = build('control', {'params': str(path), 'env': 'InvertedPendulum-v5'})
    assert simulator.parameters['task'] == ''
    assert Path(controller.parameters['policy']).stem == 'InvertedPendulum-v5'


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'robot': 'quadrupd'}, "no shipped robot has that name. Did you mean 'quadruped'?"),
        ({'robot': 'arm', 'env': 'Hopper-v5'}, 'give one of them'),
        ({'robot': 'quadruped', 'sim': 'false'}, 'has no default policy'),
        (
            {'robot': 'my_robot.py:WALK'},
            'velora_ros train --task my_robot.py:WALK --out FILE, and add policy:=',
        ),
        ({'drive': 'true'}, 'for example robot:=quadruped'),
        ({'robot': 'quadruped', 'policy': 'quadruped', 'sim': 'false', 'drive': 'true'}, 'only a simulated robot'),
    ],
)
def test_a_robot_that_cannot_run_is_refused_by_name(given, words):
    with pytest.raises(ConfigError) as refused:
        build('control', given)
    assert words in str(refused.value)


def test_a_robot_that_learns_trains_its_task_and_is_evaluated_often(tmp_path):
    simulator, controller, trainer = build('control', {'robot': 'quadruped', 'train': 'true', 'run_dir': str(tmp_path)})
    assert (simulator.parameters['task'], simulator.parameters['learning']) == ('quadruped', True)
    assert controller.parameters['follow_trainer'] is True
    assert trainer.parameters['task'] == 'quadruped'
    assert trainer.parameters['total_steps'] > 1_000_000
    assert trainer.parameters['env_args'] == ['undisturbed=true']
    assert (trainer.parameters['eval_every'], trainer.parameters['eval_episodes']) == (100_000, 32)
    _, _, own = build('control', {'robot': 'quadruped', 'train': 'true', 'steps': '500', 'run_dir': str(tmp_path)})
    assert own.parameters['total_steps'] == 500


def test_what_a_learning_robot_trains_with_can_be_set_in_the_user_s_file(tmp_path):
    path = tmp_path / 'own.yaml'
    path.write_text('/**/trainer_node:\n  ros__parameters: {env_args: [undisturbed=false], eval_episodes: 5}\n')
    given = {'robot': 'quadruped', 'train': 'true', 'run_dir': str(tmp_path / 'run'), 'params': str(path)}
    trainer = build('control', given)[2]
    assert not {'env_args', 'eval_episodes'} & trainer.parameters.keys()
    assert {'eval_every', 'total_steps'} <= trainer.parameters.keys()


def test_an_environment_that_is_learnt_keeps_its_own_settings(tmp_path):
    trainer = build('control', {'train': 'true', 'run_dir': str(tmp_path)})[2]
    assert not {'env_args', 'eval_every', 'eval_episodes'} & trainer.parameters.keys()
