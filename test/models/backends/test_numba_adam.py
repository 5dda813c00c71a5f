"""Weights that a program assigns to the networks while the compiled update works on its own memory."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from toy import Reach

from velora_ros.errors import ConfigError
from velora_ros.models import LiquidDDPG
from velora_ros.models import agent as agent_module
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.training import Callback

QUICK: dict[str, Any] = {'start_steps': 16, 'boost_ratio': 1.0, 'eval_every': 0, 'progress': False}


def assign_data(networks: Networks) -> None:
    networks.actor.motor.weight.data = networks.actor.motor.weight.detach().clone()
    networks.critics_target[0].layers[0].bias.data = networks.critics_target[0].layers[0].bias.detach() + 0.5


def there_and_back(networks: Networks) -> None:
    networks.double()
    networks.float()


def scale_data(networks: Networks) -> None:
    for parameter in networks.actor.parameters():
        parameter.data = parameter.detach() * 1.5


@pytest.mark.parametrize('replace', [assign_data, there_and_back, scale_data])
def test_weights_whose_memory_was_replaced_are_learnt_from_and_go_on_learning(
    replace: Callable[[Networks], None],
) -> None:
    model = LiquidDDPG(2, 6, 1, seed=0)
    model.train(Reach(), 8, total_steps=40, **QUICK)
    replace(model.agent.networks)
    before = [value.clone() for value in model.agent.networks.state_dict().values()]
    twin = copy.deepcopy(model)  # made anew from what the networks hold
    for one in (model, twin):
        one.train(Reach(), 8, total_steps=20, **QUICK)
    for value, other in zip(*(one.agent.networks.state_dict().values() for one in (model, twin)), strict=True):
        assert torch.equal(value, other)
    after = model.agent.networks.state_dict().values()
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_weights_that_a_callback_replaces_are_taken_over_while_training_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_module, 'CHECK_EVERY', 10)
    model = LiquidDDPG(2, 6, 1, seed=0)
    update = model.agent.backend
    assert isinstance(update, NumbaBackend)

    class Replace(Callback):
        def on_step(self, steps: int) -> None:
            if steps == 20:
                weight = model.agent.networks.actor.motor.weight
                weight.data = torch.zeros_like(weight)

    model.train(Reach(), 8, total_steps=50, callbacks=[Replace()], **QUICK)
    weight = model.agent.networks.actor.motor.weight
    assert weight.data_ptr() == update._actor.views['motor.weight'].ctypes.data
    assert 0 < weight.abs().max() < 0.1  # from zero on, it has learnt for a while


def test_what_cannot_be_taken_over_is_refused() -> None:
    model = LiquidDDPG(2, 6, 1, seed=0)
    model.agent.networks.double()
    with pytest.raises(ConfigError, match=r'is now torch\.float64 of shape .* learns in torch\.float32'):
        model.train(Reach(), 8, total_steps=20, **QUICK)
    other = LiquidDDPG(2, 6, 1, seed=0)
    other.agent.networks.actor.motor.bias = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(ConfigError, match=r'motor\.bias was replaced by another object'):
        other.train(Reach(), 8, total_steps=20, **QUICK)


def test_an_optimiser_state_that_is_loaded_is_gone_on_with() -> None:
    models = [LiquidDDPG(2, 6, 1, seed=0) for _ in range(2)]
    for model in models:
        model.train(Reach(), 8, total_steps=40, **QUICK)
    model, twin = models
    state = copy.deepcopy(model.agent.actor_optimizer.state_dict())
    model.agent.actor_optimizer.load_state_dict(state)  # torch makes new tensors of it
    for one in models:
        one.train(Reach(), 8, total_steps=20, **QUICK)
    for value, other in zip(*(one.agent.networks.state_dict().values() for one in (model, twin)), strict=True):
        assert torch.equal(value, other)
    moments = model.agent.actor_optimizer.state_dict()['state']
    assert moments[0]['step'] == twin.agent.actor_optimizer.state_dict()['state'][0]['step']
