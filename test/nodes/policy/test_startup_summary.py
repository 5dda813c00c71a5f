"""The line that policy_node logs when it is configured."""

import dataclasses

from policy_robot import SPEC

from velora_ros.contract.sources import ObservationSettings, plan
from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.policy.parameters_with_contract import with_contract
from velora_ros.nodes.policy.startup_summary import LISTED, startup_summary
from velora_ros.spec import Source


def line(spec, settings=None, **changed):
    values = with_contract({row.name: row.default for row in parameters(None)} | changed, spec)
    plans = plan(spec.observation_names, settings or ObservationSettings()).sources
    return startup_summary('/tmp/pole.safetensors', spec, plans, values, lambda topic: f'/left/{topic}')


def test_it_names_sources_and_commands():
    text = line(SPEC)
    assert text.startswith('policy /tmp/pole.safetensors: reads slider/position, hinge/position, slider/velocity, ')
    assert 'hinge/velocity from /left/joint_states (JointState); commands slider/effort' in text
    assert ' N on /left/command (Float64MultiArray); period 0.04 s; not armed until ~/arm is called' in text


def test_it_shows_what_the_parameters_change():
    settings = ObservationSettings(
        sources=(Source('joints', 'rail_states', 'JointState'), Source('imu', 'imu/data', 'Imu')),
        fields=('joints:rail/position', 'joints:pivot/position', 'joints:rail/velocity', 'imu:angular_velocity.z'),
    )
    spec = dataclasses.replace(SPEC, action_units=('',))
    changes = {'command.type': 'JointState', 'command.scale': [0.01], 'rate_hz': 50.0, 'arm_on_activate': True}
    text = line(spec, settings, **changes)
    assert 'rail/position, pivot/position, rail/velocity from /left/rail_states (JointState); ' in text
    assert 'angular_velocity.z from /left/imu/data (Imu); commands ' in text
    assert 'commands slider/effort -0.03 to 0.03, unit unknown by command.scale and command.offset on /left/' in text
    assert text.endswith('commands at 50 Hz; armed as soon as it is active')


def test_it_says_what_interpolation_costs():
    assert 'period 0.04 s, moves to each command at 200 Hz, with up to 0.04 s of lag; ' in line(
        SPEC, **{'command.interpolate': 200.0}
    )


def test_it_mentions_open_confirmations():
    values = {row.name: row.default for row in parameters(None)}
    plans = plan(SPEC.observation_names, ObservationSettings()).sources
    text = startup_summary('p.safetensors', SPEC, plans, values, str, waits=2)
    assert text.endswith('not armed until ~/arm is called and the confirmations in the warning are given')


def test_a_long_list_is_cut():
    many = tuple(f'obs_{number}' for number in range(LISTED + 5))
    spec = dataclasses.replace(SPEC, observation_names=many, observation_units=('',) * len(many))
    assert f'obs_{LISTED - 1}, ... ({LISTED + 5} in all) from /left/observation (Float64MultiArray)' in line(spec)
