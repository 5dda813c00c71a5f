"""What tasks write into the policy file: where a robot has each observation, and what it is sent."""

from dataclasses import replace

import numpy as np
import pytest
from toy_tasks import walker

from velora_ros.errors import SpecError
from velora_ros.gym import make, spec_from_env
from velora_ros.tasks import observe
from velora_ros.tasks.find_task import find, shipped
from velora_ros.tasks.task_to_contract import with_contract


@pytest.mark.parametrize('name', shipped())
def test_every_observation_of_a_shipped_task_has_a_field_of_a_source(name):
    spec = find(name).policy_spec
    contract = spec.contract
    assert contract.task == name and len(contract.fields) == spec.observation_dim
    used = {field.partition(':')[0] for field in contract.fields}
    assert used <= {source.name for source in contract.sources}
    assert not any(source.topic.startswith('observation/') for source in contract.sources), 'a standard message has it'


def test_the_quadruped_reads_joints_imu_and_cmd_vel_and_is_sent_position_targets():
    contract = find('quadruped').policy_spec.contract
    topics = {source.name: (source.topic, source.type) for source in contract.sources if source.topic}
    assert topics == {
        'joints': ('joint_states', 'JointState'), 'imu': ('imu/data', 'Imu'), 'cmd_vel': ('cmd_vel', 'Twist'),
    }  # fmt: skip
    assert contract.sources[0].name == 'joints', 'joint states trigger'
    told = next(source for source in contract.sources if source.name == 'cmd_vel')
    assert (told.low, told.high, told.max_age_s) == ((-0.5, -0.4, -1.0), (1.0, 0.4, 1.0), 0.5)
    command = contract.command
    assert (command.interface, command.mode, command.stiffness[:3]) == ('position', 'absolute', (35.0, 35.0, 45.0))
    assert command.start_pose[:3] == (0.0, 0.9, -1.8) and command.effort_limit[2] == 35.55


def test_the_arm_is_sent_positions_that_move_by_increments_and_reads_its_goal_from_the_tool():
    contract = find('arm').policy_spec.contract
    assert (contract.command.interface, contract.command.mode) == ('position', 'increment')
    fields = contract.fields
    assert 'goal_pose:position.relative_to(tool).turned_by(shoulder_pan_joint).x' in fields
    assert 'goal_pose:position.relative_to(tool).turned_by(shoulder_pan_joint).within(0.04).x' in fields
    assert 'tool:position.turned_by(shoulder_pan_joint).z' in fields
    assert contract.transform[fields.index('joints:elbow_joint/position')] == 'sin'


def test_the_rover_reads_sectors_of_equal_size_all_around_and_is_sent_a_twist():
    contract = find('rover').policy_spec.contract
    sectors = [field for field in contract.fields if field.startswith('scan:nearest(') and field.endswith(', 4)')]
    edges = np.array([text.removeprefix('scan:nearest(').split(', ')[:2] for text in sectors], float)
    assert np.allclose(edges[0, 0], -np.pi, atol=1e-4) and np.allclose(edges[-1, 1], np.pi, atol=1e-4)
    assert np.allclose(edges[1:, 0], edges[:-1, 1], atol=2e-5) and np.allclose(np.diff(edges), np.pi / 9, atol=2e-5)
    assert contract.sources[0].name == 'scan'
    assert contract.command.type == 'TwistStamped' and contract.command.high == (0.31, 1.9)
    assert {'goal_pose:position.in_frame_of(odom).y', 'odom:twist.twist.angular.z'} <= {*contract.fields}


def test_the_contract_gives_the_observation_of_the_task():
    """(value - default) * scale of what the sources measure is what the policy read in training."""
    task = walker(observe=[observe.joint_positions(scale=2.0), observe.joint_velocities()])
    env = task.make(undisturbed=True)
    observation, _ = env.reset(seed=3)
    contract, joints = task.policy_spec.contract, env.vector.sim.joints('*')
    values = np.concatenate([joints.position[0], joints.velocity[0]])
    assert np.allclose(contract.scale * values + contract.offset, observation)


def test_a_term_of_ones_own_is_read_from_a_vector():
    task = walker(observe=[observe.joint_positions(), lambda sim: sim.joints('*').velocity])
    contract = task.policy_spec.contract
    own = contract.sources[1]
    assert own.type == 'Float64MultiArray' and own.topic == f'observation/{own.name}'
    assert contract.fields[-1].startswith(f'{own.name}:')


def test_training_sees_the_contract_of_the_environment_and_what_was_not_varied():
    env = make('velora_ros.tasks:Task-v0', task='quadruped', undisturbed=True)
    spec = spec_from_env(env)
    assert spec == env.unwrapped.policy_spec and spec.contract.varied == ()
    assert find('quadruped').policy_spec.contract.varied


def test_the_contract_is_written_into_an_older_policy_without_touching_its_weights(make_policy_file):
    task = find('rover')
    old = make_policy_file(
        task.policy_spec.observation_dim, 20, 2, dt_range=(0.1, 0.1), spec=replace(task.policy_spec, contract=None)
    )
    new = with_contract(old, task)
    assert new.spec == task.policy_spec and new.digest != old.digest
    assert all((new.tensors[name] == old.tensors[name]).all() for name in old.tensors)
    with pytest.raises(SpecError, match='observation_names'):
        with_contract(old, find('arm'))
