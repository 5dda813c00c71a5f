"""What ``velora_ros deploy`` writes is what policy_node derives from the policy file itself."""

import pytest
import yaml

from velora_ros.cli.main import main
from velora_ros.contract.contract_to_parameters import as_parameters
from velora_ros.tasks.find_task import find, shipped


@pytest.fixture
def policy(make_policy_file, tmp_path):
    def made(name):
        spec = find(name).policy_spec
        period = spec.control_period
        path = tmp_path / f'{name}.safetensors'
        size = (spec.observation_dim, 20, spec.action_dim)
        make_policy_file(*size, spec=spec, dt_range=(period, period)).save(path)
        return path, spec.contract

    return made


@pytest.mark.parametrize('name', shipped())
def test_the_parameters_are_those_of_the_contract_and_have_the_types_of_ros(policy, tmp_path, name):
    path, contract = policy(name)
    out = tmp_path / 'robot.yaml'
    assert main(['deploy', str(path), '--out', str(out)]) == 0
    written = yaml.safe_load(out.read_text())['/**/policy_node']['ros__parameters']
    said = as_parameters(contract)
    assert {key: value for key, value in written.items() if key in said} == {
        key: value for key, value in said.items() if key in written
    }
    left_out = [value for key, value in said.items() if key not in written]
    assert not any(value for value in left_out if value != -1), 'what is left out has its default'
    for values in written.values():
        assert values != [], 'rcl cannot read an empty list'
        if isinstance(values, list):
            assert len({type(value) for value in values}) == 1 and not isinstance(values[0], int)


def test_it_says_task_gains_and_names_beside_the_numbers(policy, capsys):
    path, _ = policy('quadruped')
    assert main(['deploy', str(path)]) == 0
    text = capsys.readouterr().out
    assert '# task: quadruped; varied in training: start_pose' in text and 'gains_confirmed: false' in text
    assert '#   FR_calf_joint  45  0.9  35.55  -1.8' in text
    assert '- -0.9  # FR_thigh_joint/position' in text


def test_a_policy_without_a_contract_is_refused_with_what_to_do(make_policy_file, tmp_path, capsys):
    path = tmp_path / 'pole.safetensors'
    make_policy_file().save(path)
    assert main(['deploy', str(path)]) == 1
    assert 'velora_ros tasks write TASK FILE' in capsys.readouterr().err


def test_inspect_shows_where_each_observation_comes_from(policy, capsys):
    path, _ = policy('rover')
    assert main(['inspect', str(path)]) == 0
    text = capsys.readouterr().out
    assert 'sent as TwistStamped: velocity' in text
    assert 'scan:nearest(-3.14159, -2.79253, 4)' in text and 'goal_pose:position.in_frame_of(odom).x' in text
