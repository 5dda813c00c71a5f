"""The doctor beside the three simulated robots, each with a policy of its own task: they are ready."""

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from velora_ros.utils.task_names import SHIPPED

pytestmark = pytest.mark.ros


@pytest.fixture
def policy(make_policy_file, tmp_path):
    """Writes a policy with random weights for a task."""

    def write(task):
        spec = getattr(importlib.import_module(f'velora_ros.tasks.{task}'), task.upper()).policy_spec
        path = tmp_path / f'{task}.safetensors'
        periods = (0.5 * spec.control_period, 2 * spec.control_period)
        file = make_policy_file(spec.observation_dim, 40, spec.action_dim, spec=spec, dt_range=periods)
        spread = 1.2 if task == 'arm' else 0.15  # the arm's goals are all around it, and so are its poses
        normal = {'offset': np.zeros(spec.observation_dim), 'scale': np.full(spec.observation_dim, 1 / spread)}
        tensors = {f'normalisation.{name}': values.astype(np.float32) for name, values in normal.items()}
        replace(file, tensors={**file.tensors, **tensors}).save(path)
        return path

    return write


@pytest.mark.parametrize('task', SHIPPED)
def test_a_simulated_robot_is_ready_for_a_policy_of_its_task(ros, policy, task):
    ros.start('sim_node', '-p', f'task:={task}')
    ros.until(lambda: 'sim_node' in ros.node.get_node_names(), 'the simulator')
    process = ros.start([sys.executable, '-m', 'velora_ros', 'doctor', policy(task), '--seconds', '2', '--json'])
    ros.until(lambda: process.exit_code is not None, 'the report')
    report = json.loads(process.output.splitlines()[-1])
    assert report['ready'], process.output
    checks = {one['check'] for one in report['findings'] if one['level'] == 'ok'}
    assert 'rate' in checks
    assert ('position' in checks) == (task != 'rover')


def test_it_says_which_way_a_joint_is_to_be_moved(ros, policy):
    ros.start('sim_node', '-p', 'task:=quadruped')
    ros.until(lambda: 'sim_node' in ros.node.get_node_names(), 'the simulator')
    words = [policy('quadruped'), '--seconds', '2', '--move', 'FR_calf_joint', '--patience', '2']
    process = ros.start([sys.executable, '-m', 'velora_ros', 'doctor', *words])
    ros.until(lambda: process.exit_code is not None, 'the report')
    assert (
        "Move 'FR_calf_joint' by about 0.2 rad (11 degrees) in its positive direction: about (0, 1, 0)"
        in process.output
    )
    assert 'no joint was moved within 2 s' in process.output


def test_a_quadruped_is_not_the_arms_robot(ros, policy):
    ros.start('sim_node', '-p', 'task:=quadruped')
    ros.until(lambda: 'sim_node' in ros.node.get_node_names(), 'the simulator')
    process = ros.start([sys.executable, '-m', 'velora_ros', 'doctor', policy('arm'), '--seconds', '2'])
    ros.until(lambda: process.exit_code is not None, 'the report')
    assert process.exit_code == 1
    assert 'the policy was trained for a different robot' in process.output


def test_a_quadruped_that_lies_is_found_unless_it_may_be_anywhere(ros, policy):
    ros.start('sim_node', '-p', 'task:=quadruped', '-p', 'start:=lying')
    ros.until(lambda: 'sim_node' in ros.node.get_node_names(), 'the simulator')
    process = ros.start([sys.executable, '-m', 'velora_ros', 'doctor', policy('quadruped'), '--seconds', '2'])
    ros.until(lambda: process.exit_code is not None, 'the report')
    assert process.exit_code == 1
    assert 'or the robot is not in this pose' in process.output
