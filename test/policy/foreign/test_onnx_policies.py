"""ONNX models of other libraries as policies: what they read, command and remember, compared with torch and numpy."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from foreign_policies import (
    DEFAULTS,
    HIGH,
    JOINTS,
    LOW,
    PERIOD,
    SCALE,
    TERMS,
    Reference,
    actor,
    attach,
    description,
    export,
    mjlab_metadata,
    mjlab_policy,
)

from velora_ros.contract.actions import action_meaning
from velora_ros.errors import ConfigError, ObservationError, PolicyFileError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.foreign.description import Actions, Description, State, Tensors, Term
from velora_ros.policy.foreign.foreign_policy_file import OnnxFile
from velora_ros.policy.foreign.observation_terms import OTHER_NAMES
from velora_ros.policy.onnx_export import save_onnx
from velora_ros.policy.policy import read_spec
from velora_ros.utils.shipped_files import share_path

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize('cell', ['', 'gru', 'lstm'])
def test_the_actions_are_those_of_torch_and_the_state_is_kept_and_reset(tmp_path, cell):
    path, network = mjlab_policy(tmp_path, cell=cell)
    policy, reference, rng = Policy.load(path), Reference(network), np.random.default_rng(0)
    policy.warm_up()
    assert policy.engine == 'onnx' and policy.hidden.shape == ({'': 0, 'gru': 16, 'lstm': 32}[cell],)
    first = rng.normal(size=48)
    for _ in range(2):
        policy.reset()
        reference.reset()
        assert not policy.hidden.any()
        for observation in (first, *rng.normal(size=(20, 48))):
            np.testing.assert_allclose(policy.step(observation), reference.step(observation), atol=1e-5)
        if cell:
            expected = np.concatenate([state.numpy().ravel() for state in reference._states])
            np.testing.assert_allclose(policy.hidden, expected, atol=1e-5)
    if cell:  # the state matters
        later = policy.step(first)
        policy.reset()
        assert not np.allclose(policy.step(first), later)


def test_lstms_of_several_layers_keep_both_states_of_each(tmp_path):
    network = actor(cell='lstm', layers=2, hidden=8)
    path = export(network, tmp_path / 'deep.onnx')
    attach(path, mjlab_metadata())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    policy, reference = Policy.load(path), Reference(network)
    assert policy.content.roles.hidden_size == 32
    for observation in np.random.default_rng(0).normal(size=(10, 48)):
        np.testing.assert_allclose(policy.step(observation), reference.step(observation), atol=1e-5)


def test_mjlabs_metadata_become_the_contract(tmp_path):
    path, _ = mjlab_policy(tmp_path)
    spec = read_spec(path)
    contract, command = spec.contract, spec.contract.command
    assert spec.control_period == PERIOD and not spec.control_period_assumed
    assert contract.fields[:9] == (
        *(f'odom:twist.twist.linear.{axis}' for axis in 'xyz'), *(f'imu:angular_velocity.{axis}' for axis in 'xyz'),
        *(f'imu:orientation.gravity.{axis}' for axis in 'xyz'),
    )  # fmt: skip
    assert contract.fields[9:33] == tuple(
        f'joints:{joint}/{of}' for of in ('position', 'velocity') for joint in JOINTS
    )  # fmt: skip
    assert contract.fields[33:] == (
        *(f'last_action:{i}' for i in range(12)), 'cmd_vel:linear.x', 'cmd_vel:linear.y', 'cmd_vel:angular.z'
    )  # fmt: skip
    assert contract.default[9:21] == DEFAULTS and not any(contract.default[:9] + contract.default[21:])
    assert contract.sources[0].type == 'JointState'
    assert spec.action_names == tuple(f'{joint}/position' for joint in JOINTS)
    assert (spec.action_scale, spec.action_offset, command.start_pose) == (SCALE, DEFAULTS, DEFAULTS)
    assert (command.low, command.high) == (LOW, HIGH)
    assert command.stiffness == (35.0, 35.0, 45.0) * 4 and command.damping == (0.7, 0.7, 0.9) * 4


def test_what_is_sent_is_the_default_pose_plus_the_scaled_output_within_the_limits(tmp_path):
    path, network = mjlab_policy(tmp_path)
    policy, observation = Policy.load(path), np.random.default_rng(1).normal(size=48)
    output = Reference(network).step(observation)
    meaning = action_meaning(policy.spec)
    np.testing.assert_allclose(
        meaning.clip(meaning.to_si(policy.step(observation))), np.clip(DEFAULTS + SCALE * output, LOW, HIGH), atol=1e-5
    )
    np.testing.assert_allclose(policy.step(observation * 100), Reference(network).step(observation * 100), rtol=1e-4)


def test_scales_and_clips_of_newer_metadata_are_used(tmp_path):
    path, network = mjlab_policy(tmp_path)
    scales = [2.0, 0.25, 1.0, 1.0, 0.05, 1.0, 1.0]
    attach(path, {
        'observation_terms_scale': [*scales[:-1], '2.000;2.000;0.250'],
        'observation_terms_history_length': [0] * 7,
        'observation_terms_flatten_history_dim': [True] * 7,
        'observation_terms_clip': [*['-inf;inf'] * 4, '-10.000;10.000', *['-inf;inf'] * 2],
    })  # fmt: skip
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(observations=list(TERMS))))
    policy, observation = Policy.load(path), np.full(48, 3.0)
    assert policy.spec.contract.scale[:6] == (2.0,) * 3 + (0.25,) * 3
    assert policy.spec.contract.scale[-3:] == (2.0, 2.0, 0.25)
    clipped = observation.copy()
    clipped[21:33] = 10 * 0.05
    np.testing.assert_allclose(policy.step(observation), Reference(network).step(clipped), atol=1e-5)


def test_a_history_is_filled_by_the_first_observation_and_read_term_by_term_the_oldest_first(tmp_path):
    network = actor(n_observations=3 * 3 + 12 * 2, n_actions=12)
    path = export(network, tmp_path / 'walk.onnx')
    attach(path, mjlab_metadata(observation_names=['base_ang_vel', 'joint_pos']))
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(observations=[
        {'term': 'base_ang_vel', 'scale': 0.25, 'history': 3}, {'term': 'joint_pos', 'scale': 1, 'history': 2},
    ])))  # fmt: skip
    policy, reference = Policy.load(path), Reference(network)
    policy.warm_up()
    rows = np.random.default_rng(0).normal(size=(4, 15))
    for _ in range(2):
        policy.reset()
        for i, row in enumerate(rows):
            a, b = (rows[max(i - back, 0)] for back in (2, 1))
            stacked = np.concatenate([a[:3], b[:3], row[:3], b[3:], row[3:]])
            np.testing.assert_allclose(policy.step(row), reference.step(stacked), atol=1e-5)


@pytest.mark.parametrize(('given', 'lacking'), [
    ({'period': None}, 'the period'),
    ({'actions': {}}, 'the limits of the actions, low and high'),
    ({'observations': list(TERMS)}, 'the scale of the observations (base_lin_vel, base_ang_vel, '),
])  # fmt: skip
def test_what_the_metadata_lack_is_asked_for(tmp_path, given, lacking):
    path, _ = mjlab_policy(tmp_path, **given)
    with pytest.raises(PolicyFileError, match='it lacks') as error:
        Policy.load(path)
    assert lacking in str(error.value) and "set them in 'walk.yaml'" in str(error.value)


def test_a_model_alone_names_the_command_that_drafts_its_description(tmp_path):
    path = export(actor(), tmp_path / 'walk.onnx')
    with pytest.raises(PolicyFileError) as error:
        Policy.load(path)
    assert "draft 'walk.yaml' with 'velora_ros deploy walk.onnx'" in str(error.value)
    assert 'the period, the observations, the joints' in str(error.value)


@pytest.mark.parametrize(('inputs', 'outputs'), [
    (('obs', 'h_in', 'c_in'), ('actions', 'h_out', 'c_out')),
    (('obs', 'h0', 'c0'), ('actions', 'hn', 'cn')),
    (('obs', 'out_state_1', 'hidden_state_1'), ('mu', 'out_state', 'hidden_state')),
    (('observation', 'hidden_in.0', 'hidden_in.1'), ('action', 'hidden_out.0', 'hidden_out.1')),
    (('obs', 'prev_hidden', 'prev_cell'), ('action', 'next_hidden', 'next_cell')),
])  # fmt: skip
def test_hidden_states_are_found_by_their_names(tmp_path, inputs, outputs):
    network = actor(cell='lstm')
    path = export(network, tmp_path / 'walk.onnx', inputs, outputs)
    attach(path, mjlab_metadata())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    policy, reference = Policy.load(path), Reference(network)
    assert [(a.name, b.name) for a, b in policy.content.roles.states] == list(zip(inputs[1:], outputs[1:], strict=True))
    for observation in np.random.default_rng(0).normal(size=(5, 48)):
        np.testing.assert_allclose(policy.step(observation), reference.step(observation), atol=1e-5)


def test_hidden_states_of_other_names_are_asked_for_and_can_be_given(tmp_path):
    network = actor(cell='gru')
    path = export(network, tmp_path / 'walk.onnx', ('obs', 'x'), ('actions', 'y'))
    attach(path, mjlab_metadata())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    with pytest.raises(PolicyFileError, match=r"its inputs are 'obs' \(1, 48\), 'x' \(1, 1, 16\)"):
        Policy.load(path)
    names = {'states': [{'input': 'x', 'output': 'y'}]}
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(tensors=names)))
    policy, reference = Policy.load(path), Reference(network)
    for observation in np.random.default_rng(0).normal(size=(5, 48)):
        np.testing.assert_allclose(policy.step(observation), reference.step(observation), atol=1e-5)


def test_terms_of_the_wrong_width_are_named_with_their_sizes(tmp_path):
    terms = [{'term': term, 'scale': 1} for term in TERMS if term != 'command']
    path, _ = mjlab_policy(tmp_path, observations=terms)
    with pytest.raises(PolicyFileError) as error:
        Policy.load(path)
    assert 'its network reads 48 numbers, but its terms have 45: base_lin_vel 3, base_ang_vel 3' in str(error.value)


def test_a_default_position_outside_of_the_limits_is_refused(tmp_path):
    path, _ = mjlab_policy(tmp_path, default_positions=[9.0, *DEFAULTS[1:]])
    with pytest.raises(PolicyFileError, match=r"the default position of 'FL?.*' is 9, outside the limits from"):
        Policy.load(path)


def test_an_unknown_term_is_read_from_a_topic_of_its_own(tmp_path):
    network = actor(n_observations=3 + 5)
    path = export(network, tmp_path / 'walk.onnx')
    attach(path, mjlab_metadata(observation_names=['base_ang_vel', 'height_scan']))
    terms = [{'term': 'base_ang_vel', 'scale': 1}, {'term': 'height_scan', 'scale': 0.2}]
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(observations=terms)))
    with pytest.raises(PolicyFileError, match="its term 'height_scan' is not in any standard message"):
        Policy.load(path)
    terms[1] |= {'topic': 'heights', 'size': 5}
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(observations=terms)))
    contract = Policy.load(path).spec.contract
    assert contract.fields[3:] == tuple(f'height_scan:{i}' for i in range(5))
    assert [source.topic for source in contract.sources] == ['imu/data', 'heights']


def test_a_policy_without_joints_is_described_by_topics_and_fields(tmp_path):
    path = export(actor(n_observations=4, n_actions=2), tmp_path / 'rover.onnx')
    path.with_suffix('.yaml').write_text(yaml.safe_dump({
        'period': 0.1,
        'observations': [
            {'term': 'odom', 'topic': 'odom', 'type': 'Odometry', 'scale': 1.0,
             'fields': ['twist.twist.linear.x', 'twist.twist.angular.z']},
            {'term': 'actions', 'scale': 1.0},
        ],
        'actions': {'type': 'TwistStamped', 'interface': 'velocity', 'fields': ['linear.x', 'angular.z'],
                    'scale': [0.5, 1.0], 'low': [0.0, -1.0], 'high': [0.5, 1.0], 'clip': 1.0},
    }))  # fmt: skip
    spec = Policy.load(path).spec
    assert spec.action_names == spec.contract.command.fields == ('linear.x', 'angular.z')
    assert (spec.action_low, spec.action_high) == ((-1.0, -1.0), (1.0, 1.0))
    assert np.abs(Policy.load(path).step([100.0, -100.0, 0.0, 0.0])).max() <= 1.0


def test_observations_that_are_not_finite_change_nothing(tmp_path):
    path, _ = mjlab_policy(tmp_path, cell='gru')
    policy, observation = Policy.load(path), np.ones(48)
    policy.step(observation)
    before = policy.hidden
    for bad in (np.nan, np.inf, 1e300):
        observation[5] = bad
        with pytest.raises(ObservationError, match=r'finite|overflows') as error:
            policy.step(observation)
        assert len(str(error.value).splitlines()) == 1
    np.testing.assert_array_equal(policy.hidden, before)


def test_a_network_that_returns_no_numbers_yields_no_action(tmp_path):
    network = actor(cell='gru')
    network.mlp[0].bias.data[0] = np.nan
    path = export(network, tmp_path / 'walk.onnx')
    attach(path, mjlab_metadata())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    policy = Policy.load(path)
    with pytest.raises(ObservationError, match='the network returns numbers that are not finite') as error:
        policy.step(np.ones(48))
    assert len(str(error.value).splitlines()) == 1 and not policy.hidden.any()


def test_an_export_of_this_package_runs_without_a_description_and_has_the_same_contract(tmp_path):
    own = PolicyFile.load(share_path('policies', 'quadruped.safetensors'))
    save_onnx(own, tmp_path / 'own.onnx')
    ours, foreign = Policy(own), Policy.load(tmp_path / 'own.onnx')
    assert foreign.spec == ours.spec and foreign.dt_range == ours.dt_range
    rng = np.random.default_rng(0)
    for dt in rng.uniform(0.005, 0.06, 30):
        observation = rng.normal(size=own.spec.observation_dim)
        np.testing.assert_allclose(foreign.step(observation, dt), ours.step(observation, dt), atol=1e-4)
    np.testing.assert_allclose(foreign.hidden, ours.hidden, atol=1e-4)


def _as_terms(spec):
    """Return the terms that describe the observations of one of our policies."""
    names = {'gyro': 'base_ang_vel', 'gravity': 'projected_gravity', 'position': 'joint_pos', 'velocity': 'joint_vel',
             'last_action': 'actions', 'twist': 'command', 'clock': 'clock'}  # fmt: skip
    sources = {source.type: source for source in spec.contract.sources}
    terms = {}
    for name, scale in zip(spec.observation_names, spec.contract.scale, strict=True):
        term = names[name.rpartition('/')[2].partition('.')[0]]
        terms.setdefault(term, {'term': term, 'scale': []})['scale'].append(scale)
    terms['command'] |= {'low': list(sources['Twist'].low), 'high': list(sources['Twist'].high)}
    if clock := sources.get('GaitClock'):
        terms['clock'] |= {'stride': clock.period_s, 'still_below': clock.moves_above}
    return list(terms.values())


def test_our_quadruped_described_as_a_foreign_policy_has_the_same_contract(tmp_path):
    own = PolicyFile.load(share_path('policies', 'quadruped.safetensors'))
    save_onnx(own, tmp_path / 'walk.onnx')
    model = onnx.load(str(tmp_path / 'walk.onnx'))
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / 'walk.onnx'))
    command = own.spec.contract.command
    (tmp_path / 'walk.yaml').write_text(yaml.safe_dump({
        'period': own.spec.control_period, 'dt_range': list(own.dt_range), 'joints': list(command.fields),
        'default_positions': list(command.start_pose),
        'observations': _as_terms(own.spec),
        'actions': {
            'scale': list(own.spec.action_scale), 'clip': 1.0, 'low': list(command.low), 'high': list(command.high),
            'stiffness': list(command.stiffness), 'damping': list(command.damping),
            'effort_limit': list(command.effort_limit),
        },
    }))  # fmt: skip
    policy, ours = Policy.load(tmp_path / 'walk.onnx'), Policy(own)
    assert policy.spec.differences(own.spec) == [] and policy.spec == own.spec  # so that each can replace the other
    for observation in np.random.default_rng(0).normal(size=(5, own.spec.observation_dim)):
        np.testing.assert_allclose(policy.step(observation), ours.step(observation), atol=1e-4)


def test_line_breaks_in_metadata_do_not_get_into_an_error(tmp_path):
    path = export(actor(), tmp_path / 'walk.onnx')
    attach(path, mjlab_metadata(default_joint_pos='1.0,2.0r\n\x1b[31m'))
    with pytest.raises(PolicyFileError, match='it must be a number') as error:
        Policy.load(path)
    assert str(error.value).isprintable()


def test_damaged_metadata_of_this_package_are_refused(tmp_path):
    save_onnx(PolicyFile.load(share_path('policies', 'InvertedPendulum-v5.safetensors')), tmp_path / 'own.onnx')
    for key, value in (('dt_range', '[1, 2]'), ('action_low', '['), ('control_period', 'NaN'), ('contract', '{}')):
        model = onnx.load(str(tmp_path / 'own.onnx'))
        entries = {entry.key: entry.value for entry in model.metadata_props} | {key: value}
        onnx.helper.set_model_props(model, entries)
        onnx.save(model, str(tmp_path / 'bad.onnx'))
        with pytest.raises(PolicyFileError, match='its metadata'):
            Policy.load(tmp_path / 'bad.onnx')


def test_the_digest_is_that_of_model_and_description(tmp_path):
    path, _ = mjlab_policy(tmp_path)
    before = OnnxFile.load(path).digest
    assert OnnxFile.load(path).digest == before
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(period=0.01)))
    assert OnnxFile.load(path).digest != before


def test_another_engine_is_refused(tmp_path):
    path, _ = mjlab_policy(tmp_path)
    with pytest.raises(ConfigError, match="the policy is an ONNX model; use 'auto'"):
        Policy.load(path, engine='numpy')


def test_the_metadata_of_the_helper_are_as_mjlab_writes_them(tmp_path):
    path, _ = mjlab_policy(tmp_path)
    found = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert found['action_scale'].startswith('0.373,0.373,0.249,') and found['joint_names'].startswith('FR_hip_joint,')
    assert json.dumps(found['observation_names']) == json.dumps(','.join(TERMS))


def test_the_description_on_the_page_is_one(tmp_path):
    page = (ROOT / 'docs' / 'bring-your-policy.md').read_text(encoding='utf-8')
    example = page.split('```yaml\n')[1].split('```')[0]
    network = actor(n_observations=24, n_actions=3)
    export(network, tmp_path / 'walk.onnx').with_suffix('.yaml').write_text(example)
    policy = Policy.load(tmp_path / 'walk.onnx')
    assert policy.spec.contract.sources[-2].high == (1.0, 0.5, 1.0)
    for name in [one for names in OTHER_NAMES.values() for one in names[:1]]:
        assert f'`{name}`' in page


def test_the_page_explains_every_field():
    page = (ROOT / 'docs' / 'bring-your-policy.md').read_text(encoding='utf-8')
    names = [one.name for kind in (Description, Term, Actions, Tensors, State) for one in fields(kind)]
    assert [
        name for name in names if f'`{name}`' not in page and f'.{name}`' not in page and f'{name}:' not in page
    ] == []
