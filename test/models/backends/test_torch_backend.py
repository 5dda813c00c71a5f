import numpy as np
import pytest
import torch
from backend_updates import numbers, update

from velora_ros.liquid import Wiring
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.models.normaliser import Normaliser
from velora_ros.replay_buffers import SequenceBuffer, Transition


def one_transition(*, terminated: bool, next_dt: float = 1.0) -> SequenceBuffer:
    buffer = SequenceBuffer(4, 2, 1, 2)
    buffer.add(Transition([1.0, 0.0], [0.5], 3.0, terminated, [0.0, 1.0], 1.0, next_dt, [0.0, 0.0], True))
    return buffer


def networks() -> Networks:
    wiring = Wiring.random(2, 6, 1, rng=np.random.default_rng(0))
    return Networks(wiring, (8,), state_dim=2, n_critics=1, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('update_class', [TorchBackend, NumbaBackend])
@pytest.mark.parametrize(('terminated', 'next_dt'), [(True, 1.0), (False, 1.0), (False, 2.5)])
def test_truncation_bootstraps_termination_does_not_and_time_discounts(
    update_class: type[TorchBackend | NumbaBackend], terminated: bool, next_dt: float
) -> None:
    nets = networks()
    config = numbers(gamma=0.9, tau=1e-9)
    batch = one_transition(terminated=terminated, next_dt=next_dt).sample(1, 1, np.random.default_rng(0))
    with torch.no_grad():
        first = nets.actor_target.step(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))[1]
        action, _ = nets.actor_target.step(torch.tensor([[0.0, 1.0]]), first, torch.tensor([next_dt]))
        bootstrap = nets.critics_target[0](torch.tensor([[0.0, 1.0]]), action).item()
        value = nets.critics[0](torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5]])).item()
    target = 3.0 if terminated else 3.0 + 0.9**next_dt * bootstrap
    adams = [torch.optim.Adam(module.parameters()) for module in (nets.actor, nets.critics)]
    metrics, _ = update(update_class(nets, *adams), batch, np.zeros((1, 1, 1), np.float32), config)
    assert metrics['critic_loss'] == pytest.approx((value - target) ** 2, rel=1e-4)


def test_a_loss_deep_in_a_sequence_reaches_weights_through_time() -> None:
    nets = networks()
    actor, hidden = nets.actor, torch.zeros(1, 2)
    inputs = torch.randn(1, 6, 2, generator=torch.Generator().manual_seed(2)).requires_grad_()
    motor, _ = actor(inputs, hidden, torch.ones(1, 6))
    motor[0, -1].sum().backward()
    assert inputs.grad is not None
    assert (inputs.grad[0].abs().sum(dim=1) > 0).all()


def test_a_frozen_normaliser_standardises_but_does_not_blow_up_a_constant() -> None:
    samples = np.random.default_rng(0).normal(5, 3, (2000, 2)).astype(np.float32)
    samples[:, 1] = 7.0
    normaliser = Normaliser(2)
    normaliser.freeze(samples)
    values = normaliser(torch.from_numpy(samples)).numpy()
    assert values[:, 0].mean() == pytest.approx(0, abs=1e-3)
    assert values[:, 0].std() == pytest.approx(1, abs=1e-3)
    assert np.abs(values[:, 1]).max() == pytest.approx(0)
