import dataclasses
import json
import os
import struct

import numpy as np
import pytest
import safetensors.numpy

from velora_ros.errors import PolicyFileError, StorageError
from velora_ros.policy import PolicyFile


def changed(file, **tensors):
    return dataclasses.replace(file, tensors={**file.tensors, **tensors})


def raw(file, *, tensors=None, drop=(), **metadata):
    """The bytes that save would write, with some metadata replaced."""
    text = {**file._metadata(), 'digest': file.digest, **metadata}
    text = {key: value for key, value in text.items() if key not in drop}
    content = {name: tensor for name, tensor in {**file.tensors, **(tensors or {})}.items() if name not in drop}
    return safetensors.numpy.save(content, metadata={'velora_ros': json.dumps(text)})


@pytest.fixture
def file(make_policy_file):
    return make_policy_file()


@pytest.fixture
def load_bytes(tmp_path):
    def load(data):
        path = tmp_path / 'damaged.safetensors'
        path.write_bytes(data)
        return PolicyFile.load(path)

    return load


@pytest.mark.parametrize(('n_observations', 'n_neurons', 'n_actions'), [(1, 2, 1), (4, 20, 1), (17, 64, 6)])
def test_load_returns_what_save_wrote(make_policy_file, tmp_path, n_observations, n_neurons, n_actions):
    file = make_policy_file(n_observations, n_neurons, n_actions, seed=3)
    file.save(tmp_path / 'p.safetensors')
    loaded = PolicyFile.load(tmp_path / 'p.safetensors')
    for name in ('spec', 'wiring', 'dt_range', 'environment', 'provenance', 'digest', 'n_neurons', 'hidden_size'):
        assert getattr(loaded, name) == getattr(file, name), name
    assert loaded.tensors.keys() == file.tensors.keys()
    for name, tensor in file.tensors.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(loaded.tensors[name], tensor)


def test_one_policy_gives_one_file_byte_for_byte(file, tmp_path):
    reordered = dataclasses.replace(
        file,
        tensors=dict(reversed(file.tensors.items())),
        provenance=dict(reversed(file.provenance.items())),
    )
    file.save(tmp_path / 'a')
    reordered.save(tmp_path / 'b')
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_an_environment_may_be_unknown(file, tmp_path):
    dataclasses.replace(file, environment=None).save(tmp_path / 'p')
    assert PolicyFile.load(tmp_path / 'p').environment is None


@pytest.mark.parametrize('name', ['inter.bias', 'command.weight', 'normalisation.scale', 'wiring.inter'])
def test_digest_changes_when_one_number_changes(file, name):
    tensor = file.tensors[name].copy()
    index = tuple(np.argwhere(tensor != 0)[0]) if tensor.dtype != np.uint8 else tuple(np.argwhere(tensor == 0)[0])
    tensor[index] = np.nextafter(tensor[index], np.float32(9), dtype=np.float32) if tensor.dtype != np.uint8 else 1
    assert changed(file, **{name: tensor}).digest != file.digest


def test_digest_covers_the_metadata(file):
    digests = {
        file.digest,
        dataclasses.replace(file, dt_range=(0.004, 0.09)).digest,
        dataclasses.replace(file, environment='Hopper-v5').digest,
        dataclasses.replace(file, provenance={}).digest,
        dataclasses.replace(file, spec=dataclasses.replace(file.spec, action_names=('slider/effort',))).digest,
    }
    assert len(digests) == 5


def test_tensors_of_a_policy_cannot_be_changed_in_place(file):
    with pytest.raises(ValueError, match='read-only'):
        file.tensors['inter.bias'][0] = 1.0


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (lambda t: {'inter.bias': t['inter.bias'][:-1]}, r"'inter.bias' has the shape \(11,\).* require \(12,\)"),
        (lambda t: {'motor.weight': t['motor.weight'].T}, "'motor.weight' has the shape"),
        (lambda t: {'command.bias': t['command.bias'].astype(np.float16)}, "'command.bias' is of type float16"),
        (lambda t: {'wiring.inter': t['wiring.inter'].astype(bool)}, "'wiring.inter' is of type bool"),
        (lambda t: {'wiring.inter': t['wiring.inter'] * 2}, "'wiring.inter' has the value 2"),
        (lambda t: {'normalisation.scale': t['normalisation.scale'] * np.nan}, "'normalisation.scale' has a NaN"),
        (lambda t: {'command.bias': t['command.bias'] + np.float32(np.inf)}, "'command.bias' has a NaN or an inf"),
        (lambda t: {'inter.weight': t['inter.weight'] + np.float32(1)}, "'inter.weight' has .* weights where"),
        (lambda t: {'wiring.command': t['wiring.command'] * 0}, "'command.weight' has .* weights where"),
        (lambda t: {'other': t['inter.bias']}, 'unknown: other; the valid ones are normalisation.offset'),
    ],
)
def test_a_wrong_tensor_is_named(file, load_bytes, change, named):
    tensors = change(file.tensors)
    with pytest.raises(PolicyFileError, match=named):
        changed(file, **tensors)
    with pytest.raises(PolicyFileError, match=named):
        load_bytes(raw(file, tensors=tensors))


@pytest.mark.parametrize(
    'name', ['inter.weight', 'wiring.motor', 'normalisation.offset', 'spec', 'digest', 'dt_range', 'environment']
)
def test_a_missing_field_is_named(file, load_bytes, name):
    with pytest.raises(PolicyFileError, match=f'missing: {name}|{name}.* is missing'):
        load_bytes(raw(file, drop=(name,)))


@pytest.mark.parametrize(
    ('metadata', 'named'),
    [
        ({'format_version': 3}, "'format_version' is 3; .* reads 1 to 2: update velora_ros"),
        ({'format_version': 0}, "'format_version' is 0; .* export the policy again"),
        ({'format_version': '1'}, "'format_version' is '1'"),
        ({'format_version': True}, "'format_version' is True"),
        ({'format_version': None}, 'export the policy again'),
        ({'spec': {}}, "'spec' is invalid: the policy spec lacks action_high"),
        ({'spec': []}, "'spec' is .*JSON object"),
        ({'wiring': {}}, "wiring field 'n_neurons' is None"),
        ({'wiring': {'n_neurons': 20, 'inter': 11, 'command': 8, 'motor': 1}}, 'inter . command, 11 . 8'),
        ({'wiring': {'n_neurons': 20, 'inter': 12, 'command': 8, 'motor': 2}}, "'motor' is 2; it must be 1"),
        ({'wiring': {'n_neurons': 20, 'inter': 12.0, 'command': 8, 'motor': 1}}, "'inter' is 12.0"),
        ({'dt_range': [0.05, 0.08]}, "'dt_range' is .* include the period 0.04"),
        ({'dt_range': [0, 0.08]}, "'dt_range' is .* must be positive"),
        ({'dt_range': [0.01, float('inf')]}, "'dt_range'"),
        ({'dt_range': [0.01, float('nan')]}, "'dt_range'"),
        ({'dt_range': 'ab'}, "'dt_range' is 'ab'; it must be two times"),
        ({'dt_range': None}, "'dt_range' is None"),
        ({'environment': 3}, "'environment' is 3"),
        ({'provenance': {'return': float('nan')}}, "'provenance' cannot be stored as JSON"),
        ({'provenance': 'text'}, "'provenance' is 'text'; it must be a JSON object"),
        ({'digest': 'f' * 64}, "'digest' is ffffffffffff…, but the content has"),
        ({'digest': None}, "'digest'"),
        ({'environment': 'Hopper-v5'}, "'digest'"),
    ],
)
def test_a_wrong_metadata_field_is_named(file, load_bytes, metadata, named):
    with pytest.raises(PolicyFileError, match=named):
        load_bytes(raw(file, **metadata))


@pytest.mark.parametrize('length', [0, 1, 7, 8, 9, 500, -1])
def test_a_cut_short_file_is_refused(file, load_bytes, length):
    with pytest.raises(PolicyFileError, match=r'cut short|cannot be read'):
        load_bytes(raw(file)[:length])


@pytest.mark.parametrize(
    ('data', 'named'),
    [
        (b'not a policy at all, but some text\n' * 9, 'this is a text file; a policy is'),
        (struct.pack('<Q', 2**62) + b'{}', 'this is a binary file of an unknown kind'),
        (struct.pack('<Q', 2) + b'[]', 'a binary file'),
        (struct.pack('<Q', 8) + b'\xff' * 8, 'a binary file'),
        (struct.pack('<Q', 40_000) + b'{' * 40_000, 'a safetensors file that is cut short or damaged'),
        (safetensors.numpy.save({'a': np.zeros(3)}), 'a safetensors file that velora_ros did not write'),
        (safetensors.numpy.save({'a': np.zeros(3)}, metadata={'velora_ros': 'x'}), 'metadata is not JSON'),
        (safetensors.numpy.save({'a': np.zeros(3)}, metadata={'velora_ros': '7'}), 'metadata is not a JSON object'),
    ],
)
def test_other_content_is_refused(load_bytes, data, named):
    with pytest.raises(PolicyFileError, match=named):
        load_bytes(data)


def test_trailing_bytes_are_refused(file, load_bytes):
    with pytest.raises(PolicyFileError, match='cannot be read'):
        load_bytes(raw(file) + b'more')


@pytest.mark.parametrize('seed', range(40))
def test_a_flipped_bit_anywhere_is_refused(file, load_bytes, seed):
    data = bytearray(raw(file))
    position = np.random.default_rng(seed).integers(len(data) * 8)
    data[position // 8] ^= 1 << (position % 8)
    with pytest.raises(PolicyFileError):
        load_bytes(bytes(data))


def test_a_missing_file_a_folder_and_a_pipe_are_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for name, reason in (('absent', 'no such file'), ('.', 'a folder'), ('pipe', 'a pipe'), ('x' * 300, 'check name')):
        with pytest.raises(PolicyFileError, match=reason) as raised:
            PolicyFile.load(tmp_path / name)
        assert str(tmp_path) in str(raised.value)
        assert '\n' not in str(raised.value)


def test_provenance_must_fit_json(file):
    for value in ({'x': object()}, {'x': np.float32(1)}, {'x': float('inf')}):
        with pytest.raises(PolicyFileError, match="'provenance' cannot be stored as JSON"):
            dataclasses.replace(file, provenance=value)


def test_provenance_must_fit_the_header(file, tmp_path):
    with pytest.raises(PolicyFileError, match="'provenance' is too large"):
        dataclasses.replace(file, provenance={'log': 'x' * 2**24}).save(tmp_path / 'p')
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(file, tmp_path):
    with pytest.raises(StorageError, match='could not be written'):
        file.save(tmp_path / 'absent' / 'p.safetensors')
    assert list(tmp_path.iterdir()) == []


def version_1(file, *units):
    """The bytes of the same policy as version 1 wrote them, with the scale in the unit."""
    old = {**file._metadata(), 'format_version': 1}
    old['spec'] = {key: value for key, value in old['spec'].items() if key != 'action_scale'} | {
        'action_units': list(units)
    }
    text = json.dumps({**old, 'digest': file._digest(old)})
    return safetensors.numpy.save(dict(file.tensors), metadata={'velora_ros': text})


@pytest.mark.parametrize(
    ('units', 'scale', 'si_units'),
    [(('100 N', '-2.5 N*m'), (100.0, -2.5), ('N', 'N*m')), (('rad', '0.5 N'), (1.0, 0.5), ('rad', 'N'))],
)
def test_a_file_of_version_1_with_a_scaled_unit_is_converted_and_marked(
    make_policy_file, load_bytes, units, scale, si_units
):
    file = make_policy_file(n_actions=2)
    loaded = load_bytes(version_1(file, *units))
    assert (loaded.spec.action_units, loaded.spec.action_scale) == (si_units, scale)
    assert (loaded.spec.action_low, loaded.converted_units) == (file.spec.action_low, units)
    saved = load_bytes(loaded.to_bytes())
    assert (saved.spec, saved.digest, saved.provenance) == (loaded.spec, loaded.digest, file.provenance)
    assert saved.converted_units == ()
    for name, tensor in file.tensors.items():
        np.testing.assert_array_equal(saved.tensors[name], tensor)


def test_a_file_of_version_1_in_si_units_keeps_its_digest(make_policy_file, load_bytes):
    file = make_policy_file(n_actions=2)
    data = version_1(
        dataclasses.replace(file, spec=dataclasses.replace(file.spec, action_units=('N', 'rad'))), 'N', 'rad'
    )
    loaded = load_bytes(data)
    assert loaded.converted_units == ()
    assert loaded.digest == loaded._digest({**loaded._metadata(), 'format_version': 1})


def test_a_changed_file_of_version_1_is_refused_although_it_is_converted(file, load_bytes):
    with pytest.raises(PolicyFileError, match="'digest'"):
        load_bytes(version_1(file, '100 N').replace(b'100 N', b'200 N'))


@pytest.mark.parametrize('size', ['small', 'large'])
def test_the_spec_is_read_without_the_rest_and_a_file_cut_short_is_refused(
    make_policy_file, tmp_path, monkeypatch, size
):
    if size == 'large':
        monkeypatch.setattr('velora_ros.policy.policy_file.SMALL_FILE', 0)
    file, path = make_policy_file(), tmp_path / 'policy.safetensors'
    file.save(path)
    assert PolicyFile.read_spec(path) == file.spec
    data = path.read_bytes()
    for length in (len(data) - 1, len(data) // 2, 100, 8, 3, 0):
        path.write_bytes(data[:length])
        with pytest.raises(PolicyFileError, match=f"policy file '{path}': .*(cut short|cannot be read)"):
            PolicyFile.read_spec(path)
    path.unlink()
    with pytest.raises(PolicyFileError, match='there is no such file'):
        PolicyFile.read_spec(path)
