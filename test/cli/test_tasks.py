import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from velora_ros.cli.main import main
from velora_ros.cli.play import check_fits
from velora_ros.errors import SpecError
from velora_ros.gym import make
from velora_ros.policy import Policy, PolicyFile
from velora_ros.tasks.find_task import find
from velora_ros.training.recipe import SIMULATIONS, named_hyperparameters
from velora_ros.training.runs.config import RunConfig

TASK = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from toy_tasks import reacher, walker
WALK, REACH = walker(), reacher()
"""


@pytest.fixture
def robot(tmp_path):
    """A file of a user with two tasks."""
    path = tmp_path / 'my_robot.py'
    path.write_text(TASK)
    return str(path)


@pytest.fixture
def policy(robot, make_policy_file, tmp_path):
    """A policy with random weights for the walking task."""
    spec = find(f'{robot}:WALK').policy_spec
    path = tmp_path / 'walk.safetensors'
    make_policy_file(spec.observation_dim, 20, spec.action_dim, spec=spec).save(path)
    return str(path)


def said(capsys, *arguments, status=0):
    assert main(list(arguments)) == status
    return capsys.readouterr()


def test_show_prints_the_contract(robot, capsys):
    found = json.loads(said(capsys, 'tasks', 'show', f'{robot}:WALK', '--json').out)
    gyro = {'name': 'gyro.x', 'unit': 'rad/s', 'scale': 0.25, 'noise': 0.2, 'bias': 0.1, 'from': 'Imu angular_velocity'}
    assert found['observations'][0] == gyro
    assert found['actions'][1]['name'] == 'right_hip/position'
    assert {'name': 'track_linear', 'weight': 1.0, 'unit': ''} in found['rewards']
    assert found['commands'][0]['entries'][0] == {'name': 'linear.x', 'unit': 'm/s', 'range': [-0.5, 1.0]}
    text = said(capsys, 'tasks', 'show', f'{robot}:WALK').out
    for part in ('gyro.x', 'base_height', 'right_hip/position', 'track_linear', 'touches(trunk)', 'friction', '50 Hz'):
        assert part in text


def test_the_tasks_that_ship_are_listed(capsys):
    said(capsys, 'tasks')


@pytest.mark.parametrize(
    ('reference', 'message'),
    [
        ('quadrupd', "no task 'quadrupd'"),
        ('nowhere.py:WALK', "no file 'nowhere.py'"),
        ('{robot}', 'does not say which task; the module has WALK, REACH'),
        ('{robot}:WALKS', "no task 'WALKS'. Did you mean 'WALK'"),
        ('no_such_module:WALK', "no module 'no_such_module'"),
        ('{broken}:WALK', 'fails with ZeroDivisionError: division by zero'),
    ],
)
def test_a_wrong_reference_is_one_sentence(robot, tmp_path, capsys, reference, message):
    broken = tmp_path / 'broken.py'
    broken.write_text('1 / 0\n')
    out = said(capsys, 'tasks', 'show', reference.format(robot=robot, broken=broken), status=1)
    assert message in out.err
    assert out.err.count('\n') == 1


def test_a_task_of_a_module_in_the_present_folder_is_found(robot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find('my_robot:REACH').policy_spec.action_dim == 2
    assert find('my_robot.py:REACH').name == 'my_robot.py:REACH'


def test_every_task_is_an_environment(robot):
    env = make('velora_ros.tasks:Task-v0', task=f'{robot}:WALK', undisturbed=True)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    env.close()


def test_play_runs_and_films_an_episode(robot, policy, tmp_path, capsys, opengl):
    film = tmp_path / 'film.gif'
    arguments = ('play', f'{robot}:WALK', '--policy', policy, '--film', str(film), '--seconds', '0.2', '--undisturbed')
    out = said(capsys, *arguments).out
    assert out.startswith('0.20 s, return ')
    assert film.read_bytes().startswith(b'GIF')


def test_evaluate_prints_the_tasks_own_figures_and_repeats_with_its_seed(robot, policy, capsys):
    arguments = ('evaluate', policy, '--task', f'{robot}:WALK', '--episodes', '8', '--seed', '3', '--json')
    one, again = (json.loads(said(capsys, *arguments).out.splitlines()[-1]) for _ in range(2))
    assert one == again
    assert one['episodes'] == 8
    assert 0 <= one['tracking'] <= 1
    assert one['failed'] == sum(one['failures'].values()) > 0
    other = json.loads(said(capsys, *arguments, '--undisturbed').out)
    assert other['mean'] != one['mean']
    assert 'tracking' in said(capsys, *arguments[:-1]).out


def test_many_simulations_get_the_same_return_as_one_with_the_runtime_of_the_robot(robot, policy, capsys):
    arguments = ('evaluate', policy, '--task', f'{robot}:WALK', '--episodes', '1', '--seed', '3', '--json')
    many = json.loads(said(capsys, *arguments).out)
    runner, env = Policy.load(policy), find(f'{robot}:WALK').make()
    observation, _ = env.reset(seed=3)
    total, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, _ = env.step(runner.step(observation))
        total, ended = total + reward, terminated or truncated
    assert many['mean'] == pytest.approx(total, rel=1e-3)


def test_a_policy_gets_the_time_that_passed(tmp_path, make_policy_file, capsys, opengl):
    robot = tmp_path / 'uneven.py'
    declared = 'UNEVEN = walker(vary=[vary.period((0.5, 1.5))], fail=[], reward_floor=None)\n'
    robot.write_text(f'{TASK}from velora_ros.tasks import vary\n{declared}')
    task = find(f'{robot}:UNEVEN')
    file = make_policy_file(task.policy_spec.observation_dim, 20, task.policy_spec.action_dim, spec=task.policy_spec)
    policy = tmp_path / 'uneven.safetensors'
    dataclasses.replace(file, dt_range=(0.01, 0.03)).save(policy)
    runner, env, dt = Policy.load(policy), task.make(), None
    observation, _ = env.reset(seed=3)
    total, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, infos = env.step(runner.step(observation, dt))
        total, ended, dt = total + reward, terminated or truncated, infos['dt']
    flags = ('--task', f'{robot}:UNEVEN', '--episodes', '1', '--seed', '3', '--json')
    assert json.loads(said(capsys, 'evaluate', str(policy), *flags).out)['mean'] == pytest.approx(total, rel=1e-3)
    film = ('--film', str(tmp_path / 'film.gif'))
    played = said(capsys, 'play', f'{robot}:UNEVEN', '--policy', str(policy), '--seed', '3', *film).out
    assert f'return {total:.2f}' in played


def test_a_policy_for_another_task_is_refused(robot, policy, capsys):
    spec = PolicyFile.load(policy).spec
    with pytest.raises(SpecError, match=r"a control period of 0.02 s and the task 'slow' has 0.04 s"):
        check_fits(spec, dataclasses.replace(spec, control_period=0.04), 'slow')
    assert 'do not fit the task' in said(capsys, 'evaluate', policy, '--task', f'{robot}:REACH', status=1).err
    assert 'do not fit the task' in said(capsys, 'play', f'{robot}:REACH', '--policy', policy, status=1).err


def test_train_learns_a_task_in_many_simulations_and_resumes(robot, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = (
        '--n-neurons',
        '12',
        '--critic-sizes',
        '16',
        '--batch-size',
        '16',
        '--start-steps',
        '64',
        '--eval-every',
        '0',
    )
    arguments = ('train', '--task', f'{robot}:WALK', '--num-envs', '4', '--steps', '200', *sizes, '--no-pictures')
    said(capsys, *arguments)
    folder = next(Path('runs').iterdir())
    assert 'WALK' in folder.name
    file = PolicyFile.load(folder / 'policies' / 'last.safetensors')
    assert file.spec == find(f'{robot}:WALK').policy_spec
    assert f'velora_ros train --task {robot}:WALK --seed 0 --steps 200 --num-envs 4' in file.provenance['command']
    said(capsys, 'train', '--resume', str(folder), '--steps', '300', '--no-pictures')
    last = str(folder / 'policies' / 'last.safetensors')
    report = json.loads(said(capsys, 'evaluate', last, '--json').out)
    assert np.isfinite(report['mean'])
    # A run that starts from its policy is a run of the task too, although the command does not name it.
    said(capsys, 'train', '--from', last, '--steps', '600', *sizes, '--run-dir', 'next', '--no-pictures')
    config = RunConfig.load('next/config.yaml')
    chosen, _ = named_hyperparameters(f'{robot}:WALK')
    assert (config.num_envs, config.env_args) == (SIMULATIONS, {'task': f'{robot}:WALK'})
    assert config.hyperparameters.samples_per_transition == chosen['samples_per_transition']
    assert config.command.startswith(f'velora_ros train --task {robot}:WALK --seed 0 --steps 600 --num-envs 64 --from')


def test_the_contract_of_a_task_is_written_into_a_policy_that_has_none(capsys, robot, policy):
    file = PolicyFile.load(policy)
    dataclasses.replace(file, spec=dataclasses.replace(file.spec, contract=None)).save(policy)
    assert 'has the contract of' in said(capsys, 'tasks', 'write', f'{robot}:WALK', policy).out
    assert PolicyFile.load(policy).digest == file.digest
    assert 'observation_names' in said(capsys, 'tasks', 'write', f'{robot}:REACH', policy, status=1).err
