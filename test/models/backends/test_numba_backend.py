"""The fused update computes what the torch update computes."""

import copy

import numpy as np
import pytest
import torch
from batches import random_batch

from velora_ros.liquid import Wiring
from velora_ros.models.backends.numba_adam import supports
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.torch_backend import TorchBackend, UpdateSettings, smoothing_noise
from velora_ros.models.networks import Networks


def networks(n_critics: int, state_dim: int, *, memory: bool = False, sizes: tuple[int, ...] = (16, 24)) -> Networks:
    wiring = Wiring.random(5, 12, 2, rng=np.random.default_rng(1))
    generator = torch.Generator().manual_seed(2)
    memory_wiring = Wiring.random(5, 10, 2, rng=np.random.default_rng(8)) if memory else None
    made = Networks(
        wiring, sizes, state_dim=state_dim, n_critics=n_critics, memory_wiring=memory_wiring, generator=generator
    )
    made.observation_normaliser.freeze(np.random.default_rng(3).normal(1, 2, (50, 5)))
    return made


@pytest.mark.parametrize(
    ('n_critics', 'state_dim', 'burn_in', 'max_grad_norm', 'trace', 'memory'),
    [
        (1, 5, 0, 0.0, 0.0, False),
        (2, 7, 3, 0.0, 0.7, False),
        (1, 5, 2, 0.5, 1.0, False),
        (1, 5, 0, 0.0, 0.0, True),
        (2, 5, 3, 0.0, 0.9, True),
    ],
)
def test_fused_updates_equal_torch_updates(  # noqa: PLR0917 - the parameters of the cases
    n_critics: int, state_dim: int, burn_in: int, max_grad_norm: float, trace: float, memory: bool
) -> None:
    reference, fused = (networks(n_critics, state_dim, memory=memory) for _ in range(2))
    settings = UpdateSettings(0.98, 0.01, burn_in, 0.2, max_grad_norm, trace, 0.5)

    def optimizers(nets: Networks) -> list[torch.optim.Adam]:
        return [torch.optim.Adam(module.parameters(), lr=1e-3) for module in (nets.actor, nets.critic_side())]

    slow, fast = TorchBackend(reference, *optimizers(reference)), NumbaBackend(fused, *optimizers(fused))
    rng = np.random.default_rng(4)
    for _ in range(5):
        batch = random_batch(rng, state_dim, 6 + burn_in, 4 + fused.memory_size)
        noise = smoothing_noise(batch, settings, rng)
        expected = slow(batch, noise, settings)
        assert fast(batch, noise, settings) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    gradients = dict(fused.named_parameters())
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(
            gradients[name], parameter, rtol=1e-3, atol=2e-5, msg=lambda text, n=name: f'{n}: {text}'
        )


@pytest.mark.parametrize(('n_sequences', 'length'), [(16, 8), (32, 1), (3, 5)])
def test_they_are_equal_at_the_sizes_of_training_and_the_same_bit_for_bit_when_repeated(
    n_sequences: int, length: int
) -> None:
    settings = UpdateSettings(trace=0.9, target_noise=0.2)
    results = []
    for update in (TorchBackend, NumbaBackend, NumbaBackend):
        nets, rng = networks(1, 5, memory=True, sizes=(64, 64, 33)), np.random.default_rng(9)
        adams = [torch.optim.Adam(module.parameters(), lr=1e-3) for module in (nets.actor, nets.critic_side())]
        run = update(nets, *adams)
        for _ in range(4):
            batch = random_batch(rng, 5, length, 4 + nets.memory_size, n_sequences)
            run(batch, smoothing_noise(batch, settings, rng), settings)
        results.append(torch.cat([parameter.detach().flatten() for parameter in nets.parameters()]))
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=5e-5)
    assert torch.equal(results[1], results[2])


@pytest.mark.parametrize('memory', [False, True])
def test_fused_gradients_equal_torch_gradients(memory: bool) -> None:
    reference, fused = (networks(1, 5, memory=memory) for _ in range(2))
    settings = UpdateSettings(burn_in=1)
    batch = random_batch(np.random.default_rng(5), 5, 8, 4 + fused.memory_size)
    noise = np.zeros((6, 7, 2), dtype=np.float32)
    slow = TorchBackend(
        reference,
        torch.optim.SGD(reference.actor.parameters(), lr=0.0),
        torch.optim.SGD(reference.critic_side().parameters(), lr=0.0),
    )
    fast = NumbaBackend(
        fused,
        torch.optim.Adam(fused.actor.parameters(), lr=0.0),
        torch.optim.Adam(fused.critic_side().parameters(), lr=0.0),
    )
    slow(batch, noise, settings)
    fast(batch, noise, settings)
    for flat, module in ((fast._actor, reference.actor), (fast._critics, reference.critic_side())):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None
            np.testing.assert_allclose(flat.gradients[name], parameter.grad.numpy(), rtol=2e-4, atol=2e-6, err_msg=name)


def test_torch_sees_the_fused_parameters_and_adam_state() -> None:
    nets = networks(1, 5)
    actor_adam = torch.optim.Adam(nets.actor.parameters(), lr=1e-3)
    fast = NumbaBackend(nets, actor_adam, torch.optim.Adam(nets.critics.parameters(), lr=1e-3))
    before = copy.deepcopy(nets.actor.state_dict())
    batch = random_batch(np.random.default_rng(6), 5, 4)
    fast(batch, np.zeros((6, 4, 2), dtype=np.float32), UpdateSettings())
    assert not torch.equal(before['command.weight'], nets.actor.command.weight)
    state = actor_adam.state_dict()['state'][2]
    assert state['step'] == 1
    assert state['exp_avg'].abs().max() > 0


def test_only_plain_adam_on_the_cpu_is_fused() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    cpu = torch.device('cpu')
    assert supports([torch.optim.Adam(parameters)], cpu)
    assert not supports([torch.optim.Adam(parameters, weight_decay=0.1)], cpu)
    assert not supports([torch.optim.AdamW(parameters)], cpu)
    assert not supports([torch.optim.Adam(parameters)], torch.device('cuda'))
