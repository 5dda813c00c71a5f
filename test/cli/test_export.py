import json

import onnx
import pytest

from velora_ros.cli.main import main


@pytest.fixture
def policy(make_policy_file, tmp_path):
    path = tmp_path / 'policy.safetensors'
    make_policy_file(4, 20, 1).save(path)
    return str(path)


def test_export_writes_a_model_and_prints_its_inputs_and_outputs(policy, tmp_path, capsys):
    assert main(['export', policy, '--onnx', str(tmp_path / 'p.onnx')]) == 0
    assert 'observation (B, 4), hidden (B, 8), dt (B, 1) [s] -> action (B, 1)' in capsys.readouterr().out
    said = {entry.key: entry.value for entry in onnx.load(tmp_path / 'p.onnx').metadata_props}
    assert json.loads(said['action_names']) == ['action_0']


def test_export_writes_c_code_and_prints_its_function(policy, tmp_path, capsys):
    assert main(['export', policy, '--c', str(tmp_path / 'my walk.c')]) == 0
    assert 'my_walk_step(state, observation[4], dt [s], action[1])' in capsys.readouterr().out
    assert 'int my_walk_step(' in (tmp_path / 'my walk.c').read_text()


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['{folder}/absent', '--onnx', '{folder}/p.onnx'], 'there is no such file'),
        (['{folder}/text', '--onnx', '{folder}/p.onnx'], 'this is a text file'),
        (['{folder}/policy.safetensors', '--onnx', '{folder}/absent/p.onnx'], 'could not be written'),
        (['{folder}/policy.safetensors', '--onnx', '{folder}'], 'could not be written'),
        (['{folder}/policy.safetensors'], 'no output is named; add --onnx OUT, --c OUT, or both'),
        (['{folder}/policy.safetensors', '--c', '{folder}/absent/p.c'], 'could not be written'),
    ],
)
def test_an_export_that_fails_names_the_reason(policy, tmp_path, capsys, arguments, named):
    (tmp_path / 'text').write_text('a text of some length, and no policy\n')
    assert main(['export', *(one.format(folder=tmp_path) for one in arguments)]) in (1, 2)
    assert named in capsys.readouterr().err
    assert not (tmp_path / 'p.onnx').exists()
