"""The contract between a policy and a robot: what it holds, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from velora_ros.errors import SpecError
from velora_ros.spec import PolicySpec, RobotCommand, RobotContract, Source

JOINTS = Source('joints', 'joint_states', 'JointState')
TOLD = Source('cmd_vel', 'cmd_vel', 'Twist', (0.0,), max_age_s=0.5, low=(-0.5,), high=(1.0,))
CLOCK = Source('clock', '', 'GaitClock', period_s=0.5, moves_with='cmd_vel', moves_above=0.1)
COMMAND = RobotCommand(
    'Float64MultiArray', ('hip',), 'position', low=(-1.0,), high=(1.0,), stiffness=(35.0,), start_pose=(0.2,)
)
CONTRACT = RobotContract(
    'walk', ('mass: 0.8 to 1.2',), (JOINTS, TOLD, CLOCK), ('joints:hip/position', 'cmd_vel:linear.x', 'clock:sin'),
    (1.0, 2.0, 1.0), (0.2, 0.0, 0.0), COMMAND,
)  # fmt: skip
SPEC = PolicySpec(
    ('hip/position', 'twist.linear.x', 'clock.sin'), ('rad', 'm/s', ''), ('hip/position',), ('rad',), (-1.0,), (1.0,),
    0.02, action_scale=(0.5,), action_offset=(0.2,), contract=CONTRACT,
)  # fmt: skip


def test_a_contract_survives_json_within_its_spec():
    data = json.loads(json.dumps(SPEC.to_dict()))
    again = PolicySpec.from_dict(data)
    assert again == SPEC and again.contract.task == 'walk' and again.contract.varied == CONTRACT.varied
    assert again.to_dict() == data and again.is_extended


def test_what_has_its_default_is_left_out():
    assert SPEC.to_dict()['contract']['sources'][0] == {'name': 'joints', 'topic': 'joint_states', 'type': 'JointState'}
    assert 'contract' not in replace(SPEC, contract=None).to_dict()


def test_the_offset_is_what_the_default_becomes_after_scaling():
    assert replace(CONTRACT, scale=(2.0, 2.0, 1.0)).offset == (-0.4, 0.0, 0.0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'fields': ('hip/position', 'cmd_vel:linear.x', 'clock:sin')},
            "'hip/position' is invalid; write <source>:<field>",
        ),
        ({'fields': ('joint:hip/position', 'cmd_vel:linear.x', 'clock:sin')}, "Did you mean 'joints'"),
        ({'scale': (1.0,)}, 'scale of the observations has 1 entries; it must have 3'),
        ({'default': (float('nan'), 0.0, 0.0)}, 'must be finite'),
        ({'transform': ('none', 'tan', 'none')}, "'tan'"),
        ({'sources': (JOINTS, JOINTS)}, 'a distinct name to each'),
        ({'sources': (JOINTS, replace(TOLD, name='cmd/vel'))}, 'letters, digits and underscores'),
        ({'sources': (JOINTS, replace(TOLD, topic=''))}, 'give both'),
        ({'sources': (JOINTS, CLOCK)}, "is 'cmd_vel', which is not a source"),
        ({'sources': (JOINTS, TOLD, replace(CLOCK, moves_with='twist'))}, "is 'twist', which is not a source"),
    ],
)
def test_an_inconsistent_contract_is_refused(change: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=message):
        replace(CONTRACT, **change)


@pytest.mark.parametrize(
    ('kind', 'change', 'message'),
    [
        (TOLD, {'high': (float('inf'),)}, "high of the source 'cmd_vel'"),
        (TOLD, {'max_age_s': -0.5}, 'at least 0, or -1'),
        (CLOCK, {'period_s': 0.0}, 'period_s'),
        (COMMAND, {'interface': 'torque'}, "'torque'"),
        (COMMAND, {'mode': 'increments'}, "Did you mean 'increment'"),
        (COMMAND, {'mode': 'increment', 'interface': 'velocity'}, 'must be position, not velocity'),
        (COMMAND, {'low': (2.0,)}, 'low must be below high'),
        (COMMAND, {'damping': (0.7, 0.7)}, 'damping of the command has 2 entries; it must have 1'),
    ],
)
def test_an_invalid_part_is_refused(kind: Any, change: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=message):
        replace(kind, **change)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'sources': 'joints'}, r'contract.sources is .*; it must be a list'),
        ({'colour': 1}, 'contract has the unknown field colour'),
        ({'scale': ['1']}, r"contract.scale is '1'; it must be a number"),
        ({'command': {'type': 'Twist'}}, 'contract.command lacks fields, interface'),
        ({'command': 3}, r'contract.command is 3; it must be an object'),
    ],
)
def test_a_damaged_dictionary_is_refused(change: dict[str, Any], message: str):
    data = SPEC.to_dict()
    with pytest.raises(SpecError, match=message):
        PolicySpec.from_dict({**data, 'contract': {**data['contract'], **change}})


def test_a_contract_has_one_field_for_each_observation_and_action():
    with pytest.raises(SpecError, match=r'contract\.fields has 3 entries; it must have 2'):
        replace(SPEC, observation_names=SPEC.observation_names[:2], observation_units=('', ''))


def test_differences_name_the_part_and_ignore_where_it_was_trained():
    assert replace(SPEC, contract=replace(CONTRACT, task='run', varied=())) == SPEC
    softer = replace(CONTRACT, command=replace(COMMAND, stiffness=(20.0,)), scale=(1.0, 1.0, 1.0))
    names = [name for name, _, _ in SPEC.differences(replace(SPEC, contract=softer))]
    assert names == ['contract.scale', 'contract.command.stiffness']
    assert [name for name, _, _ in SPEC.differences(replace(SPEC, contract=None))] == ['contract']
