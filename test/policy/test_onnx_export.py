import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from velora_ros.errors import MissingDependencyError, PolicyFileError, StorageError
from velora_ros.gym import TimingJitter, make
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.onnx_export import metadata, save_onnx, to_onnx

POLICIES = Path(__file__).parents[2] / 'policies'


class OnnxPolicy:
    """Steps a model as the module's docstring explains: the caller keeps hidden state and time."""

    def __init__(self, file, path):
        save_onnx(file, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, ['CPUExecutionProvider'])
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        self.period = float(self.metadata['control_period'])
        self.reset()

    def reset(self):
        self.hidden = np.zeros((1, int(self.metadata['hidden_size'])), np.float32)

    def step(self, observation, dt):
        inputs = {'observation': [observation], 'hidden': self.hidden, 'dt': [[self.period if dt is None else dt]]}
        inputs = {name: np.asarray(value, np.float32) for name, value in inputs.items()}
        action, self.hidden = self.session.run(None, inputs)
        return action[0]


class TorchPolicy:
    """The network that was trained, with the file's weights."""

    def __init__(self, file):
        import torch

        from velora_ros.liquid import LiquidNetwork, Wiring

        masks = {name: file.tensors[f'wiring.{name}'].astype(bool) for name in ('inter', 'command', 'motor')}
        self.file, self.torch = file, torch
        self.network = LiquidNetwork(Wiring(**masks, sparsity=0.5))
        state = {name: torch.tensor(file.tensors[name]) for name in file.tensors if name.split('.')[0] in masks}
        self.network.load_state_dict(state, strict=False)
        self.offset, self.scale = (torch.tensor(file.tensors[f'normalisation.{name}']) for name in ('offset', 'scale'))
        self.reset()

    def reset(self):
        self.hidden = self.torch.zeros(1, self.file.hidden_size)

    def step(self, observation, dt):
        spec, torch = self.file.spec, self.torch
        ratio = 1.0 if dt is None else float(np.clip(dt, *self.file.dt_range)) / spec.control_period
        with torch.inference_mode():
            x = (torch.tensor(observation, dtype=torch.float32) - self.offset) * self.scale
            motor, self.hidden = self.network.step(x[None], self.hidden, ratio)
        return spec.low + (motor[0].double().numpy() + 1) / 2 * (spec.high - spec.low)


def closed_loop(file, steps):
    """Observations and elapsed times of a closed loop, uneven if the policy uses time; None: an episode begins."""
    policy, env = Policy(file, 'numpy'), make(file.environment)
    if file.dt_range[0] < file.dt_range[1]:
        env = TimingJitter(env, period_range=(0.1, 2), drop_probability=0.1)
    record, dt, ended = [], None, True
    while len(record) < steps:
        if ended:
            policy.reset()
            dt, (observation, _) = None, env.reset(seed=len(record))
        record.append((observation, dt))
        observation, _, terminated, truncated, info = env.step(policy.step(observation, dt).astype(np.float32))
        dt, ended = info.get('dt', file.spec.control_period), terminated or truncated
    return record


@pytest.fixture(params=['InvertedPendulum-v5', 'InvertedDoublePendulum-v5', 'time counts', 'random weights'])
def policy_file(request, make_policy_file):
    if request.param == 'random weights':
        return make_policy_file(4, 64, 1, dt_range=(0.01, 0.07))
    if request.param == 'time counts':
        file = PolicyFile.load(POLICIES / 'InvertedPendulum-v5.safetensors')
        return dataclasses.replace(file, dt_range=(0.01, 0.07))
    return PolicyFile.load(POLICIES / f'{request.param}.safetensors')


def test_every_engine_agrees_over_a_recorded_closed_loop(policy_file, tmp_path):
    record = closed_loop(policy_file, 1000)
    if policy_file.dt_range[0] < policy_file.dt_range[1]:  # the record has times on both sides of the clamp
        times = [dt for _, dt in record if dt is not None]
        assert min(times) < policy_file.dt_range[0] and max(times) > policy_file.dt_range[1]
    engines = {
        'numpy': Policy(policy_file, 'numpy'),
        'numba': Policy(policy_file, 'numba'),
        'torch': TorchPolicy(policy_file),
        'onnx': OnnxPolicy(policy_file, tmp_path / 'p.onnx'),
    }
    actions = {name: [] for name in engines}
    for observation, dt in record:
        for name, engine in engines.items():
            if dt is None:
                engine.reset()
            actions[name].append(engine.step(observation, dt))
    span = policy_file.spec.high - policy_file.spec.low
    assert np.ptp(actions['numpy'], axis=0) > 0.01 * span  # the actions do vary
    for name in engines:
        assert np.abs((np.array(actions[name]) - actions['numpy']) / span).max() < 1e-5, name


def test_the_model_says_what_goes_in_and_out(make_policy_file, tmp_path):
    file = make_policy_file(3, 12, 2)
    save_onnx(file, tmp_path / 'p.onnx')
    model = onnx.load(tmp_path / 'p.onnx')
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    h = file.hidden_size
    assert shapes == {
        'observation': ['batch', 3], 'hidden': ['batch', h], 'dt': ['batch', 1],
        'action': ['batch', 2], 'next_hidden': ['batch', h],
    }  # fmt: skip
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said == metadata(file)
    assert json.loads(said['observation_names']) == ['obs_0', 'obs_1', 'obs_2']
    assert json.loads(said['action_low']) == [-3.0, -4.0]
    assert json.loads(said['dt_range']) == [0.004, 0.08]
    assert said['digest'] == file.digest
    assert 'zeros at the start of an episode' in model.doc_string


def test_a_batch_gives_the_same_as_single_steps(make_policy_file):
    file = make_policy_file(3, 12, 2)
    session = onnxruntime.InferenceSession(to_onnx(file).SerializeToString())
    rng = np.random.default_rng(0)
    sizes = {'observation': 3, 'hidden': file.hidden_size, 'dt': 1}
    batch = {name: rng.uniform(0, 1, (5, size)).astype(np.float32) for name, size in sizes.items()}
    together = session.run(None, batch)
    for row in range(5):
        alone = session.run(None, {name: value[row : row + 1] for name, value in batch.items()})
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], all_of_them[row], atol=1e-6)


def test_one_policy_gives_one_file(make_policy_file, tmp_path):
    for name in 'ab':
        save_onnx(make_policy_file(), tmp_path / name)
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_without_onnx_the_error_says_how_to_install_it(make_policy_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(MissingDependencyError, match=r'pip install .*onnx'):
        save_onnx(make_policy_file(), tmp_path / 'p.onnx')
    assert list(tmp_path.iterdir()) == []


def test_another_cell_is_refused(make_policy_file):
    with pytest.raises(
        PolicyFileError, match="has the cell 'gru', but only a policy with the cell 'cfc' can be exported"
    ):
        to_onnx(make_policy_file(cell='gru'))


def test_an_older_file_survives_a_failure(make_policy_file, tmp_path):
    with pytest.raises(StorageError, match='Nothing was changed'):
        save_onnx(make_policy_file(), tmp_path / 'absent' / 'p.onnx')
