"""Which backend runs is a rule: asked for, or numba where it can; what it cannot do falls back with a reason."""

import logging
from typing import Any

import pytest
import torch
from toy import Reach

from velora_ros.errors import ConfigError
from velora_ros.liquid.cell_registry import CELLS, CellKind
from velora_ros.models import LiquidDDPG
from velora_ros.models.backends import choose_backend
from velora_ros.models.backends.choose_backend import is_plain_adam, where_to_learn
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.policy import Policy
from velora_ros.training import TrainConfig

QUICK: dict[str, Any] = {'start_steps': 16, 'boost_ratio': 1.0, 'eval_every': 0, 'progress': False}


@pytest.mark.parametrize(
    ('options', 'kind', 'line'),
    [
        ({}, NumbaBackend, 'backend numba: small networks on the CPU run faster in compiled loops'),
        ({'backend': 'numba'}, NumbaBackend, 'backend numba: it was requested'),
        ({'backend': 'torch'}, TorchBackend, 'backend torch: it was requested'),
        (
            {'optim': torch.optim.AdamW}, TorchBackend,
            'backend torch: numba computes plain Adam, but the optimiser is AdamW',
        ),
    ],
)  # fmt: skip
def test_the_choice_and_its_reason_are_logged_in_one_line(
    options: dict[str, Any], kind: type, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = LiquidDDPG(2, 6, 1, seed=0, **options)
    assert isinstance(model.agent.backend, kind)
    with caplog.at_level(logging.INFO, 'velora_ros'):
        model.train(Reach(), 8, total_steps=20, **QUICK)
    assert [record.getMessage() for record in caplog.records if 'backend' in record.getMessage()] == [line]


def test_numba_is_refused_where_it_cannot_run() -> None:
    with pytest.raises(ConfigError, match=r"backend is 'numba', but numba computes plain Adam, .* is SGD; use"):
        LiquidDDPG(2, 6, 1, backend='numba', optim=torch.optim.SGD)
    with pytest.raises(ConfigError, match="backend is 'nunba'; it must be one of auto, torch, numba"):
        LiquidDDPG(2, 6, 1, backend='nunba')


def test_only_plain_adam_is_plain() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    assert is_plain_adam(torch.optim.Adam(parameters))
    assert not is_plain_adam(torch.optim.Adam(parameters, weight_decay=0.1))
    assert not is_plain_adam(torch.optim.AdamW(parameters))


@pytest.mark.parametrize('backend', ['torch', 'numba'])
def test_the_backend_is_saved_and_one_seed_is_one_run(backend: str, tmp_path: Any) -> None:
    models = [LiquidDDPG(2, 6, 1, seed=3, backend=backend) for _ in range(2)]
    for model in models:
        model.train(Reach(), 8, total_steps=60, **QUICK)
    one, other = (model.agent.networks.state_dict() for model in models)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    models[0].save(tmp_path / 'agent.safetensors', buffer=True)
    loaded = LiquidDDPG.load(tmp_path / 'agent.safetensors')
    assert loaded.agent.backend_choice.name == backend
    assert LiquidDDPG.from_policy(tmp_path / 'agent.safetensors').agent.backend_choice.name == backend
    for model in (models[1], loaded):
        model.train(Reach(), 8, total_steps=20, **QUICK)
    other = loaded.agent.networks.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in models[1].agent.networks.state_dict().items())


def test_what_numba_cannot_do_any_more_goes_on_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [LiquidDDPG(2, 6, 1, seed=3, backend=backend) for backend in ('auto', 'torch')]
    models[0].train(Reach(), 8, total_steps=40, **QUICK)
    models[1].train(Reach(), 8, total_steps=40, **QUICK)
    monkeypatch.setattr(choose_backend, 'why_not_numba', lambda *_: 'this test says so')
    for model in models:
        model.train(Reach(), 8, total_steps=20, **QUICK)
    assert str(models[0].agent.backend_choice) == 'backend torch: this test says so'
    assert isinstance(models[0].agent.backend, TorchBackend)
    state = models[0].agent.actor_optimizer.state_dict()['state']
    assert [float(one['step']) for one in state.values()] == [models[0].agent.updates] * len(state)
    one, other = (model.agent.networks.state_dict() for model in models)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-4)


@pytest.fixture
def third_cell(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(CELLS, 'leaky', CellKind(1, False, True, 'third_cell:LeakyCell'))
    return 'leaky'


def test_a_cell_without_kernels_trains_on_torch_and_says_so(
    third_cell: str, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    model = LiquidDDPG(2, 6, 1, seed=0, cell=third_cell)
    before = model.agent.networks.actor.command.weight.detach().clone()
    with caplog.at_level(logging.INFO, 'velora_ros'):
        model.train(Reach(), 8, total_steps=40, **QUICK)
    assert "backend torch: numba has no kernels for the cell 'leaky'" in caplog.text
    assert not torch.equal(before, model.agent.networks.actor.command.weight)
    with pytest.raises(ConfigError, match="'numba', but numba has no kernels for the cell 'leaky'"):
        LiquidDDPG(2, 6, 1, cell=third_cell, backend='numba')
    networks = model.agent.networks
    with pytest.raises(ConfigError, match=r"the cell 'leaky' has no kernels; use the .* with kernels: cfc, gru, mlp"):
        NumbaBackend(networks, model.agent.actor_optimizer, model.agent.critic_optimizer)  # type: ignore[arg-type]


def test_a_cell_that_the_runtime_lacks_is_not_exported(third_cell: str, tmp_path: Any) -> None:
    model = LiquidDDPG(2, 6, 1, seed=0, cell=third_cell)
    with pytest.raises(ConfigError, match="cannot be exported: the runtime has no cell 'leaky'; it has cfc, gru, mlp"):
        model.export(tmp_path / 'policy.safetensors')
    assert not list(tmp_path.iterdir())
    LiquidDDPG(2, 6, 1, seed=0, cell='gru').export(tmp_path / 'gru.safetensors')
    assert Policy.load(tmp_path / 'gru.safetensors').spec.action_dim == 1


@pytest.mark.parametrize(
    ('width', 'batch', 'backend', 'threads', 'place'),
    [
        (64, 128, 'auto', 1, 'cpu'),
        (64, 1024, 'auto', 2, 'cuda'),
        (256, 128, 'auto', 2, 'cuda'),
        (256, 8, 'auto', 1, 'cpu'),
        (64, 128, 'torch', 1, 'cuda'),
    ],
)
def test_threads_and_device_follow_from_the_sizes_alone(
    width: int, batch: int, backend: str, threads: int, place: str
) -> None:
    agent = LiquidDDPG(17, 64, 6, n_critics=2, critic_sizes=(width, width), backend=backend).agent
    agent.configure(TrainConfig(batch_size=batch, sequence_length=8))
    assert agent.backend_choice.threads == threads
    optimizers = agent.actor_optimizer, agent.critic_optimizer
    assert where_to_learn(torch.device('cuda'), agent.config, agent.networks, optimizers).type == place
    assert where_to_learn(torch.device('cpu'), agent.config, agent.networks, optimizers).type == 'cpu'
