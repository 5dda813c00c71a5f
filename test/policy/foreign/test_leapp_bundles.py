"""LEAPP bundles: inputs and outputs equal those of the network, from its start values on; invalid ones are refused."""

import os

import numpy as np
import pytest
import yaml
from hostile_files import mutated, outcome
from leapp_bundles import JOINTS, WIDTHS, ZERO_POSE, Reference, contents, describe, save_yaml, write_bundle
from safetensors.numpy import load_file, save_file

from velora_ros.errors import PolicyFileError
from velora_ros.policy import Policy
from velora_ros.policy.file_kinds import why_no_policy

CASES = 1000


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bundle') / 'walk'
    folder.mkdir()
    path, made = write_bundle(folder)
    return describe(path), made


@pytest.fixture
def bundle(whole, tmp_path):
    """A copy that may be changed."""
    for file in whole[0].parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / 'walk.yaml'


def changed(path, change):
    content = contents(path.parent)
    change(content)
    return outcome(save_yaml(path.parent, content))


def test_every_step_is_that_of_the_network_from_its_start_values_on(whole):
    path, made = whole
    policy, reference, rng = Policy.load(path), Reference(made), np.random.default_rng(0)
    policy.warm_up()
    for run in range(3):
        policy.reset()
        reference.reset()
        for _ in range(50):
            observation = rng.normal(size=sum(WIDTHS.values()))
            np.testing.assert_allclose(policy.step(observation), reference.step(observation), rtol=0, atol=1e-5)
        assert run or policy.hidden.size == 12


def test_the_contract_has_the_sources_of_all_tensors_in_si_units(whole):
    spec = Policy.load(whole[0]).spec
    contract = spec.contract
    assert spec.control_period == 0.02
    assert spec.action_names == tuple(f'{joint}/position' for joint in JOINTS)
    np.testing.assert_array_equal(spec.to_si([0.5, -0.5, 1.0, 2.0]), [0.5, -0.5, 1.0, 2.0])
    assert contract.command.start_pose == ZERO_POSE and contract.command.stiffness == (20.0,) * 4
    assert set(contract.scale) == {1.0} and not any(contract.default)
    assert contract.fields[:8] == tuple(f'joints:{joint}/{of}' for of in ('position', 'velocity') for joint in JOINTS)
    assert contract.fields[8:14] == (
        *(f'imu:angular_velocity.{axis}' for axis in 'xyz'), *(f'imu:orientation.gravity.{axis}' for axis in 'xyz'),
    )  # fmt: skip
    assert contract.fields[14:] == ('cmd_vel:linear.x', 'cmd_vel:linear.y', 'cmd_vel:angular.z', 'height:0', 'height:1')
    assert {source.name: source.topic for source in contract.sources}['height'] == 'observation/height'


def test_an_orientation_is_read_in_the_order_of_its_names(bundle):
    def rotate(content):
        content['models']['policy']['inputs'][1] |= {'kind': 'state/body/rotation', 'element_names': [list('wxyz')]}

    assert changed(bundle, rotate) == ''
    fields = Policy.load(bundle).spec.contract.fields
    assert fields[4:8] == tuple(f'joint_vel:orientation.{axis}' for axis in 'wxyz')


@pytest.mark.parametrize(
    ('place', 'entry', 'fields'),
    [
        (3, {'isaaclab_connection': 'state:robot:projected_gravity_b'}, 'imu:orientation.gravity.x'),
        (3, {'isaaclab_connection': 'state:robot:net_forces_w'}, 'projected_gravity:0'),
        (2, {'isaaclab_connection': 'state:robot:root_link_ang_vel_b'}, 'imu:angular_velocity.x'),
        (2, {'isaaclab_connection': 'state:imu:ang_vel_b'}, 'imu:angular_velocity.x'),
        (2, {'isaaclab_connection': 'state:robot:root_link_ang_vel_w'}, 'ang_vel:0'),
        (2, {'isaaclab_connection': 'state:ball:ang_vel_b'}, 'ang_vel:0'),
        (2, {'kind': 'state/body/linear_acceleration'}, 'ang_vel:linear_acceleration.x'),
        (2, {'kind': 'state/body/linear_acceleration', 'isaaclab_connection': 'state:pva:lin_acc_b'}, 'ang_vel:0'),
    ],
)  # fmt: skip
def test_only_what_the_robot_measures_is_read_from_its_sensors(bundle, place, entry, fields):
    assert changed(bundle, lambda content: content['models']['policy']['inputs'][place].update(entry)) == ''
    at = sum(list(WIDTHS.values())[:place])
    assert Policy.load(bundle).spec.contract.fields[at].startswith(fields)


def test_an_output_that_is_fed_back_and_sent_is_both(bundle):
    def feed_targets(content):
        flow = content['pipeline']['feedback_flow']
        flow['policy/targets'] = flow.pop('policy/last_action_out')

    assert changed(bundle, feed_targets) == ''
    policy = Policy.load(bundle)
    target = policy.step(np.zeros(19))
    np.testing.assert_allclose(policy.hidden[8:], target, atol=1e-6)


def test_what_the_bundle_does_not_say_is_asked_for(bundle):
    beside = bundle.with_suffix('.description.yaml')
    beside.unlink()
    said = outcome(bundle)
    assert "the default positions of the joints, the limits of the actions, low and high; draft '" in said
    content = contents(bundle.parent)
    del content['pipeline']['configs']
    save_yaml(bundle.parent, content)
    describe(bundle)
    assert "lacks the period; set them in 'walk.description.yaml'" in outcome(bundle)
    describe(bundle, period=0.01)
    assert Policy.load(bundle).spec.control_period == 0.01


def test_the_folder_of_a_bundle_names_its_file(whole):
    assert why_no_policy(whole[0].parent).endswith("give its YAML file, '" + str(whole[0]) + "'.")


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda c: c['models'].update(other=c['models']['policy']), 'it has 2 models (other, policy), but only one'),
        (lambda c: c['models']['policy']['parameters'].update(backend='jit'), "backend 'jit', but only ONNX models"),
        (lambda c: c['models']['policy']['parameters'].update(sha256sum='0'), "because 'sha256sum' differs"),
        (lambda c: c['models']['policy']['parameters'].update(model_path='../x'), "outside the bundle's folder"),
        (lambda c: c['models']['policy']['parameters'].update(model_path='/etc/passwd'), "outside the bundle's"),
        (lambda c: c['models']['policy']['parameters'].update(model_path='x.onnx'), 'there is no such file'),
        (lambda c: c['pipeline'].update(initial_values='../../secret'), "outside the bundle's folder"),
        (lambda c: c['pipeline'].update(initial_values='policy.onnx'), "its 'policy.onnx' is damaged"),
        (lambda c: c['pipeline']['configs'].update(frequency=0), "its 'frequency' is 0"),
        (lambda c: c['pipeline']['feedback_flow'].update({'policy/a': ['policy/joint_pos']}), "has no output 'a'"),
        (lambda c: c['pipeline']['feedback_flow'].clear(), "_in' do not fit an input that is fed back"),
        (lambda c: c['pipeline']['outputs'].update(policy=['kp']), "its outputs are 'kp' (kp); export it with"),
        (lambda c: c['models']['policy']['outputs'][0].pop('element_names'), "'targets' has no element_names"),
        (lambda c: c['models']['policy']['inputs'][0].update(element_names=[['a', 'b']]), 'has 4 entries, but the'),
        (lambda c: c['models']['policy']['inputs'][0].pop('element_names'), "'joint_pos' has no element_names"),
        (lambda c: c['models']['policy']['inputs'][5].update(shape=[1, 9]), 'has 2 entries in the model, but 9 in'),
        (lambda c: c['models']['policy']['inputs'][5].update(shape=[2**40]), 'product is at most 1048576'),
        (lambda c: c['models']['policy']['inputs'].pop(5), "input 'height' is not in the YAML file"),
        (lambda c: c['models']['policy']['inputs'][2].update(temporal_period_ms=20), 'has several time steps'),
        (lambda c: c['models']['policy']['inputs'][4].update(element_names=[list('abc')]), 'names such as lin_vel_x'),
        (lambda c: c.pop('pipeline'), "'pipeline' must be a mapping"),
    ],
)  # fmt: skip
def test_a_bundle_that_cannot_be_run_says_why(bundle, change, words):
    assert words in changed(bundle, change)


def test_files_of_the_bundle_that_are_links_to_others_are_not_read(bundle, tmp_path_factory):
    secret = tmp_path_factory.mktemp('elsewhere') / 'policy.onnx'
    model = bundle.parent / 'policy.onnx'
    secret.write_bytes(model.read_bytes())
    model.unlink()
    model.symlink_to(secret)
    assert "outside the bundle's folder" in outcome(bundle)
    model.unlink()
    os.mkfifo(model)
    assert 'there is no such file' in outcome(bundle)


def test_start_values_that_are_not_finite_are_refused(bundle):
    path = bundle.parent / 'walk_initial_values.safetensors'
    tensors = load_file(path)
    tensors['policy/h_state_in'][0, 0, 3] = np.nan
    save_file(tensors, path)
    assert 'are not finite' in outcome(bundle)


def test_aliases_may_repeat_names_but_not_grow(bundle):
    text = bundle.read_text().replace('kind: kp', f'kind: kp\n      note: &n [{", ".join("abcd")}]\n      more: *n')
    bundle.write_text(text)
    assert outcome(bundle) == ''
    layers = '\n'.join(f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]' for i in range(1, 12))
    bundle.write_text(f'{text}\na0: &a0 [1, 2]\n{layers}\n')
    assert 'it has more than 200000 values' in outcome(bundle)
    bundle.write_text(f'{text}\nself: &s [*s]\n')
    assert 'it has more than 200000 values' in outcome(bundle)
    bundle.write_text(f'{text}\nrun: !!python/object/apply:os.system ["true"]\n')
    assert 'it is not YAML' in outcome(bundle)


def test_a_thousand_damaged_bundles_are_refused_in_one_sentence_or_run(bundle):
    rng, files = np.random.default_rng(4), ('walk.yaml', 'walk_initial_values.safetensors', 'policy.onnx')
    whole = {name: (bundle.parent / name).read_bytes() for name in files}
    strange = [None, -1, 0, 1e308, float('nan'), [], {}, [[]], 'x', '../..', '/dev/zero', True, 10**400, ['a', None]]
    refused = 0
    for case in range(CASES):
        damaged = files[int(rng.choice(3, p=[0.7, 0.2, 0.1]))]
        for name, data in whole.items():
            (bundle.parent / name).write_bytes(mutated(data, rng) if name == damaged else data)
        if damaged == 'policy.onnx' or case % 3 == 0:
            content = contents(bundle.parent)  # with the digest of the damaged model
            if damaged != 'policy.onnx':
                replace_somewhere(content, rng, strange)
            save_yaml(bundle.parent, content)
        refused += bool(outcome(bundle))
    assert CASES // 3 < refused < CASES


def replace_somewhere(content, rng, values):
    """Replace a value somewhere by a strange one."""
    place = content
    while True:
        key = str(rng.choice(list(place))) if isinstance(place, dict) else int(rng.integers(len(place)))
        if not (isinstance(place[key], dict | list) and place[key] and rng.random() < 0.8):
            break
        place = place[key]
    place[key] = values[int(rng.integers(len(values)))]


def test_a_yaml_file_that_is_not_a_bundle_is_called_so(tmp_path):
    path = tmp_path / 'walk.yaml'
    path.write_text(yaml.safe_dump({'period': 0.02}))
    with pytest.raises(PolicyFileError, match='this is a YAML file'):
        Policy.load(path)
