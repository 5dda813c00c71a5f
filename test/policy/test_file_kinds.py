"""Files of other programs, given in place of a policy, an agent or a run."""

import os
import pickle  # noqa: TID251 - written as others write it; nothing here or in the package loads one
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from toy import Reach

from velora_ros.cli.main import main
from velora_ros.errors import PolicyFileError, VeloraError
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.file_kinds import identify, why_no_agent, why_no_policy, why_no_run

BOMB = b'\x80\x04cposix\nsystem\n\x8c\x04boom\x85R.'


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """Every kind of file, under a name that says nothing or the wrong thing."""
    sb3 = tmp_path / 'best_model.zip'
    with zipfile.ZipFile(sb3, 'w') as file:
        for name in ('data', 'pytorch_variables.pth', 'policy.pth', 'actor.optimizer.pth'):
            file.writestr(name, BOMB)
        file.writestr('_stable_baselines3_version', '2.7.0')
    torch.save({'weight': torch.zeros(3)}, tmp_path / 'model.pt')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / 'scripted.safetensors'))
    (tmp_path / 'old.pth').write_bytes(pickle.dumps({'a': 1}, protocol=2))
    (tmp_path / 'bomb.pkl').write_bytes(BOMB)
    # ir_version 10, producer_name 'pytorch', an empty graph: a ModelProto's first bytes
    (tmp_path / 'actor.onnx').write_bytes(b'\x08\x0a\x12\x07pytorch\x1a\x052.4.0:\x00B\x04\n\x00\x10\x11')
    (tmp_path / 'params.yaml').write_text('# of the robot\npolicy_node:\n  ros__parameters:\n    rate_hz: 50.0\n')
    (tmp_path / 'list.yaml').write_text('- one\n- two\n')
    (tmp_path / 'robot.xml').write_text('<?xml version="1.0"?>\n<mujoco model="cart"/>')
    (tmp_path / 'arm.urdf').write_text('<robot name="arm"/>')
    (tmp_path / 'error.html').write_text('<!DOCTYPE html><title>404</title>')
    (tmp_path / 'config.json').write_text('{"n": 1}')
    (tmp_path / 'lfs.safetensors').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')
    (tmp_path / 'notes.txt').write_text('Trained on Monday, seems fine.\n')
    (tmp_path / 'empty.safetensors').touch()
    safetensors.numpy.save_file({'w': np.zeros(4)}, tmp_path / 'llm.safetensors', metadata={'format': 'pt'})
    np.savez(tmp_path / 'weights.npz', a=np.zeros(2))
    np.save(tmp_path / 'weights.npy', np.zeros(2))
    whole = sb3.read_bytes()
    (tmp_path / 'half.zip').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'noise.bin').write_bytes(bytes(range(128, 256)) * 9)
    (tmp_path / 'folder').mkdir()
    return {path.name: path for path in tmp_path.iterdir()}


KINDS = [
    ('best_model.zip', 'a model of stable-baselines3'),
    ('model.pt', 'a file of torch.save'),
    ('scripted.safetensors', 'a TorchScript module'),
    ('old.pth', 'a pickle file'),
    ('bomb.pkl', 'a pickle file'),
    ('actor.onnx', 'an ONNX model'),
    ('params.yaml', 'a YAML file'),
    ('list.yaml', 'a YAML file'),
    ('robot.xml', 'an MJCF model'),
    ('arm.urdf', 'a URDF model'),
    ('error.html', 'a web page'),
    ('config.json', 'a JSON file'),
    ('lfs.safetensors', 'a pointer of Git LFS'),
    ('notes.txt', 'a text file'),
    ('empty.safetensors', 'an empty file'),
    ('llm.safetensors', 'a safetensors file of pt tensors that velora_ros did not write'),
    ('weights.npz', 'a numpy archive'),
    ('weights.npy', 'a numpy array file'),
    ('half.zip', 'a zip archive that is cut short'),
    ('noise.bin', 'a binary file of an unknown kind'),
    ('folder', 'a folder'),
]


def test_the_kind_of_a_foreign_file_is_named(made: dict[str, Path]) -> None:
    found = {name: identify(made[name]).text for name, _ in KINDS}
    assert [name for name, text in KINDS if not found[name].startswith(text)] == []


@pytest.mark.parametrize('reader', [Policy.load, PolicyFile.load, LiquidDDPG.load])
def test_every_reader_of_a_foreign_file_names_its_kind(made: dict[str, Path], reader: Any) -> None:
    for name, text in KINDS:
        with pytest.raises(PolicyFileError) as error:
            reader(made[name])
        message = str(error.value)
        assert text in message and name in message and '\n' not in message, message
        assert 'bytes' not in message or name == 'noise.bin'


@pytest.fixture(scope='module')
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run, its checkpoint, its policy and a saved agent."""
    folder = tmp_path_factory.mktemp('own')
    model = LiquidDDPG(2, 4, 1, seed=1)
    quick: dict[str, Any] = {'start_steps': 8, 'update_ratio': 0, 'boost_ratio': 0, 'progress': False}
    model.train(Reach(), 8, total_steps=20, eval_every=10, eval_episodes=1, eval_env=Reach(), run_dir=folder / 'run',
                **quick)  # fmt: skip
    model.save(folder / 'agent.safetensors')
    checkpoint = sorted((folder / 'run' / 'checkpoints').iterdir())[-1]
    return {
        'run': folder / 'run',
        'checkpoint': checkpoint,
        'policy': folder / 'run' / 'policies' / 'best.safetensors',
        'agent': folder / 'agent.safetensors',
    }


def test_an_own_file_in_the_wrong_place_gets_advice(own: dict[str, Path]) -> None:
    assert why_no_policy(own['policy']) == why_no_agent(own['checkpoint']) == why_no_run(own['run']) == ''
    checkpoint, run = why_no_policy(own['checkpoint']), why_no_policy(own['run'])
    assert checkpoint.startswith('this is a checkpoint of a training run, not a policy; give the policy of its run')
    assert str(own['policy']) in checkpoint and str(own['policy']) in run
    assert 'LiquidDDPG.load(file).export' in why_no_policy(own['agent'])
    assert 'LiquidDDPG.from_policy(file)' in why_no_agent(own['policy'])
    assert str(own['run'] / 'checkpoints') in why_no_agent(own['run'])
    assert why_no_run(own['checkpoint']).endswith(f"give the folder of the run, '{own['run']}'.")
    assert f"--from '{own['policy']}'" in why_no_run(own['policy'])


def test_the_command_line_names_the_kind_too(
    own: dict[str, Path], made: dict[str, Path], capsys: Any, tmp_path: Path
) -> None:
    for arguments, words in (
        (['evaluate', own['checkpoint']], 'this is a checkpoint of a training run'),
        (['inspect', own['agent']], 'this is a saved agent'),
        (['export', made['best_model.zip'], '--onnx', tmp_path / 'out.onnx'], 'a model of stable-baselines3'),
        (['evaluate', own['run']], 'this is the folder of a training run'),
        (['train', '--resume', own['policy']], 'is a policy, not the folder of a run'),
        (['train', '--resume', made['actor.onnx']], 'is an ONNX model; give the folder of a run'),
    ):
        assert main(list(map(str, arguments))) in (1, 2)
        error = capsys.readouterr().err
        assert words in error and len(error.splitlines()) == 1, error


@pytest.mark.parametrize('kind', ['policy', 'agent'])
def test_an_own_file_that_is_cut_short_anywhere_is_called_so(own: dict[str, Path], tmp_path: Path, kind: str) -> None:
    whole = own[kind].read_bytes()
    (header,) = struct.unpack('<Q', whole[:8])
    for length in (8 + header // 2, 8 + header, (8 + header + len(whole)) // 2, len(whole) - 1):
        path = tmp_path / f'{length}.safetensors'
        path.write_bytes(whole[:length])
        with pytest.raises(VeloraError, match=r'cut short|cannot be read|damaged'):
            (PolicyFile.load if kind == 'policy' else LiquidDDPG.load)(path)


def test_a_file_that_may_not_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / 'p.safetensors'
    path.symlink_to(path)
    assert identify(path).kind in ('missing', 'other')
    os.mkfifo(tmp_path / 'pipe')
    assert identify(tmp_path / 'pipe').text == 'a device or a pipe'


def test_a_model_of_torch_is_told_how_it_becomes_an_onnx_model(made: dict[str, Path], tmp_path: Path) -> None:
    assert "policy = PPO.load('best_model.zip', device='cpu').policy" in why_no_policy(made['best_model.zip'])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.script(torch.nn.Linear(45, 12)).save(str(tmp_path / 'policy.pt'))
        advice = why_no_policy(tmp_path / 'policy.pt')
        code = advice.partition('in Python: ')[2].partition(', with the number')[0]
        code = code.replace("'policy.pt'", repr(str(tmp_path / 'policy.pt')))
        exec(code.replace("'policy.onnx'", repr(str(tmp_path / 'policy.onnx'))))
    assert why_no_policy(tmp_path / 'policy.onnx').startswith('this is an ONNX model, which only policy_node can run')
