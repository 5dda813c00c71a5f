"""Parameters of policy_node that the policy file fills in, and that override it."""

import pytest
from toy_tasks import walker

from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.policy.parameters_with_contract import sources_at_start, with_contract
from velora_ros.nodes.policy.settings_of_parameters import observation_of, open_confirmations, settings_of
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

PLAIN = PolicySpec(('hip/position',), ('rad',), ('hip/effort',), ('N*m',), (-1.0,), (1.0,), 0.02)


@pytest.fixture(scope='module')
def spec():
    return walker().policy_spec


def values(**given):
    names = [name.removeprefix('observation.').partition('.')[0] for name in given if name.count('.') == 2]
    return {row.name: row.default for row in parameters(names)} | given


def test_without_a_contract_only_type_and_rate_become_definite():
    found = with_contract(values(), PLAIN)
    assert (found['command.type'], found['rate_hz']) == ('Float64MultiArray', 0.0)
    assert found == values() | {'command.type': 'Float64MultiArray', 'rate_hz': 0.0}


def test_a_contract_fills_in_what_the_user_left_open(spec):
    found = with_contract(values(), spec)
    settings = observation_of(found)
    assert [source.name for source in settings.sources] == ['joints', 'imu', 'cmd_vel', 'last_action']
    assert settings.fields == spec.contract.fields and settings.scale == spec.contract.scale
    told = settings.sources[2]
    assert (told.topic, told.type, told.missing, told.high) == ('cmd_vel', 'Twist', (0.0,), (1.0, 0.2, 1.0))
    assert (found['observation.cmd_vel.max_age_s'], found['rate_hz']) == (0.5, -1.0)


def test_every_piece_can_be_replaced(spec):
    given = {
        'observation.cmd_vel.type': 'TwistStamped', 'observation.cmd_vel.topic': 'teleop/cmd_vel',
        'observation.cmd_vel.max_age_s': 0.2, 'observation.cmd_vel.high': [0.3], 'observation.scale': [2.0] * 15,
        'command.type': 'JointState', 'rate_hz': 0.0,
    }  # fmt: skip
    found = with_contract(values(**given), spec)
    assert {name: found[name] for name in given} == given
    assert found['command.fields'] == ['left_hip', 'right_hip']
    assert observation_of(found).sources[2].topic == 'teleop/cmd_vel'


def test_a_source_of_ones_own_without_fields_has_the_observation_as_it_is(spec):
    found = with_contract(values(**{'observation.sources': ['vector']}), spec)
    assert not found['observation.fields'] and not found['observation.scale']


def test_fields_of_ones_own_keep_the_scales_and_what_the_node_reads_again(spec):
    fields = [field.replace('left_hip', 'hip_l') for field in spec.contract.fields]
    given = {'observation.fields': fields, 'observation.sources': ['joints', 'imu', 'cmd_vel']}
    found = with_contract(values(**given), spec)
    assert found['observation.scale'] == list(spec.contract.scale)
    assert found['observation.sources'] == ['joints', 'imu', 'cmd_vel', 'last_action']


def test_position_targets_are_armed_with_confirmed_gains_only(spec, make_policy_file):
    file = make_policy_file(spec.observation_dim, 20, spec.action_dim, spec=spec)
    found = with_contract(values(), spec)
    (sentence,) = open_confirmations(found, file, _safety(file, found))
    assert '20 and 0.5' in sentence and "'gains_confirmed' to true" in sentence
    confirmed = with_contract(values(gains_confirmed=True), spec)
    assert not open_confirmations(confirmed, file, _safety(file, confirmed))


def test_parameters_are_declared_for_the_sources_of_the_policy_at_the_start(spec, make_policy_file, tmp_path):
    path = tmp_path / 'walk.safetensors'
    make_policy_file(spec.observation_dim, 20, spec.action_dim, spec=spec).save(path)
    assert sources_at_start({'policy': str(path)}) == ['joints', 'imu', 'cmd_vel', 'last_action']
    assert sources_at_start({'policy': str(path), 'observation.sources': ['odom']})[:2] == ['odom', 'joints']
    assert sources_at_start({'policy': str(tmp_path / 'nothing')}) == []


def _safety(file, found):
    from velora_ros.control.command_limits import Safety

    return Safety(file.spec, settings_of(found))
