"""The numba backend computes what the torch backend computes: values, gradients, weights, on identical noise."""

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from backend_updates import noise_for, numbers, update
from batches import random_batch

from velora_ros.liquid import Wiring
from velora_ros.liquid.cell_registry import CELLS
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.models.optimisers import set_learning_rate, with_core_rate

BACKENDS = (TorchBackend, NumbaBackend)
CASES = list(itertools.product(CELLS, (1, 2), (False, True)))


def networks(
    cell: str = 'cfc', *, n_critics: int = 1, memory: bool = False, state_dim: int = 5,
    sizes: tuple[int, ...] = (16, 24), averaged: bool = False,
) -> Networks:  # fmt: skip
    wiring = Wiring.random(5, 12, 2, rng=np.random.default_rng(1), cell=cell)
    memory_wiring = Wiring.random(5, 10, 2, rng=np.random.default_rng(8)) if memory else None
    made = Networks(
        wiring, sizes, state_dim=state_dim, n_critics=n_critics, memory_wiring=memory_wiring, averaged=averaged,
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip
    made.observation_normaliser.freeze(np.random.default_rng(3).normal(1, 2, (50, 5)))
    return made


def optimisers(nets: Networks, lr: float = 1e-3) -> list[torch.optim.Adam]:
    return [torch.optim.Adam(side.parameters(), lr=lr) for side in (nets.actor, nets.critic_side())]


def both(lr: float = 1e-3, **options: Any) -> tuple[TorchBackend, NumbaBackend]:
    nets = [networks(**options) for _ in BACKENDS]
    return TorchBackend(nets[0], *optimisers(nets[0], lr)), NumbaBackend(nets[1], *optimisers(nets[1], lr))


@pytest.mark.parametrize(('cell', 'n_critics', 'memory'), CASES)
@pytest.mark.parametrize(
    ('burn_in', 'trace', 'state_dim'), [(0, 0.0, 5), (3, 0.7, 7)], ids=['one step', 'burn-in, trace, privileged']
)
def test_values_and_gradients_agree_to_a_hundred_thousandth_of_1_or_of_the_largest_gradient(  # noqa: PLR0917 - the parameters of the cases
    cell: str, n_critics: int, memory: bool, burn_in: int, trace: float, state_dim: int
) -> None:
    slow, fast = both(lr=0.0, cell=cell, n_critics=n_critics, memory=memory, state_dim=state_dim)
    config = numbers(gamma=0.98, burn_in=burn_in, trace=trace, target_noise=0.2, reward_scale=0.5)
    rng = np.random.default_rng(5)
    batch = random_batch(rng, state_dim, 6 + burn_in, slow.networks.actor.hidden_size + slow.networks.memory_size)
    noise = noise_for(batch, config, rng)
    expected, seen = update(slow, batch, noise, config, measure=True)
    metrics, also_seen = update(fast, batch, noise, config, measure=True)
    assert metrics == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert also_seen == pytest.approx(seen, rel=1e-5, abs=1e-5)
    assert len(fast.actor_states()) == 6
    np.testing.assert_allclose(fast.actor_states(), slow.actor_states(), rtol=0, atol=1e-5)
    for flat, module in ((fast._actor, slow.networks.actor), (fast._critics, slow.networks.critic_side())):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None
            scale = max(1.0, parameter.grad.abs().max().item())
            np.testing.assert_allclose(
                flat.gradients[name] / scale, parameter.grad.numpy() / scale, rtol=0, atol=1e-5, err_msg=name
            )


def test_values_and_gradients_agree_with_cut_traces_the_mean_of_critics_and_a_penalty() -> None:
    slow, fast = both(lr=0.0, n_critics=2)
    config = numbers(burn_in=2, trace=0.9, trace_width=0.3, mean_share=0.4, motor_penalty=0.1, target_noise=0.2)
    rng = np.random.default_rng(5)
    batch = random_batch(rng, 5, 8, slow.networks.actor.hidden_size)
    noise = noise_for(batch, config, rng)
    expected, seen = update(slow, batch, noise, config, measure=True)
    metrics, also_seen = update(fast, batch, noise, config, measure=True)
    assert metrics == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert also_seen == pytest.approx(seen, rel=1e-5, abs=1e-5)
    for name, parameter in slow.networks.actor.named_parameters():
        np.testing.assert_allclose(fast._actor.gradients[name], parameter.grad, rtol=0, atol=1e-5, err_msg=name)
    assert metrics != pytest.approx(update(fast, batch, noise, numbers(burn_in=2, trace=0.9))[0], rel=1e-3)


def test_a_slower_recurrent_layer_learns_alike_and_slower() -> None:
    results = []
    for core_rate, kind in ((1.0, TorchBackend), (0.1, TorchBackend), (0.1, NumbaBackend)):
        nets, rng, config = networks(), np.random.default_rng(9), numbers(trace=0.9)
        before = [parameter.detach().clone() for parameter in nets.actor.parameters()]
        actor = torch.optim.Adam(with_core_rate(nets.actor, core_rate))  # type: ignore[arg-type]
        set_learning_rate(actor, 1e-3)
        backend: Any = kind(nets, actor, torch.optim.Adam(nets.critic_side().parameters(), lr=1e-3))
        for _ in range(3):
            batch = random_batch(rng, 5, 8, 4)
            update(backend, batch, noise_for(batch, config, rng), config)
        after = dict(nets.actor.named_parameters())
        results.append({n: (p - b).detach() for (n, p), b in zip(after.items(), before, strict=True)})
    usual, slow, fast = results
    for name in usual:
        torch.testing.assert_close(fast[name], slow[name], rtol=1e-3, atol=2e-5)
    steps = {name: (slow[name].abs().max() / usual[name].abs().max()).item() for name in usual}
    assert steps['command.weight'] == pytest.approx(0.1, rel=0.2)
    assert steps['motor.weight'] == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize(('cell', 'n_critics', 'memory'), CASES)
@pytest.mark.parametrize('max_grad_norm', [0.0, 0.5])
def test_weights_and_averaged_weights_agree_after_updates(
    cell: str, n_critics: int, memory: bool, max_grad_norm: float
) -> None:
    slow, fast = both(cell=cell, n_critics=n_critics, memory=memory, averaged=True)
    config = numbers(gamma=0.98, tau=0.01, burn_in=2, trace=0.9, target_noise=0.2, max_grad_norm=max_grad_norm)
    rng = np.random.default_rng(4)
    for count in range(1, 6):
        batch = random_batch(rng, 5, 8, slow.networks.actor.hidden_size + slow.networks.memory_size)
        noise = noise_for(batch, config, rng)
        expected, _ = update(slow, batch, noise, config)
        assert update(fast, batch, noise, config)[0] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        for backend in (slow, fast):
            backend.networks.average_actor(0.1, count)
    weights = dict(fast.networks.named_parameters())
    for name, parameter in slow.networks.named_parameters():
        torch.testing.assert_close(
            weights[name], parameter, rtol=1e-3, atol=2e-5, msg=lambda text, n=name: f'{n}: {text}'
        )


@pytest.mark.parametrize(('n_sequences', 'length'), [(16, 8), (32, 1), (3, 5)])
def test_they_are_equal_at_the_sizes_of_training_and_the_same_bit_for_bit_when_repeated(
    n_sequences: int, length: int
) -> None:
    config, results = numbers(trace=0.9, target_noise=0.2), []
    for kind in (TorchBackend, NumbaBackend, NumbaBackend, TorchBackend):
        nets, rng = networks(memory=True, sizes=(64, 64, 33)), np.random.default_rng(9)
        backend = kind(nets, *optimisers(nets))
        for _ in range(4):
            batch = random_batch(rng, 5, length, 4 + nets.memory_size, n_sequences)
            update(backend, batch, noise_for(batch, config, rng), config)
        results.append(torch.cat([parameter.detach().flatten() for parameter in nets.parameters()]))
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=5e-5)
    assert torch.equal(results[1], results[2])
    assert torch.equal(results[0], results[3])


@pytest.mark.parametrize('kind', BACKENDS)
def test_each_step_changes_its_own_networks_alone(kind: Any) -> None:
    nets = networks(n_critics=2, memory=True)
    backend, config = kind(nets, *optimisers(nets)), numbers(tau=0.1)
    batch = random_batch(np.random.default_rng(6), 5, 4, 4 + nets.memory_size)
    data = backend.prepare(batch, 0)
    parts = ('actor', 'critics', 'memory', 'actor_target', 'critics_target', 'memory_target')

    def changed_by(step: Any) -> set[str]:
        before = {part: copy.deepcopy(getattr(nets, part).state_dict()) for part in parts}
        step()
        after = {part: getattr(nets, part).state_dict() for part in parts}
        return {
            part
            for part, values in after.items()
            if any(not torch.equal(value, before[part][name]) for name, value in values.items())
        }

    target = backend.targets(data, np.zeros((6, 4, 2), np.float32), config)
    assert changed_by(lambda: backend.critic_step(data, target, config)) == {'critics', 'memory'}
    assert changed_by(lambda: backend.actor_step(data, config)) == {'actor'}
    assert changed_by(lambda: backend.follow_targets(0.1)) == {'actor_target', 'critics_target', 'memory_target'}


@pytest.mark.parametrize('kind', BACKENDS)
def test_targets_follow_by_tau(kind: Any) -> None:
    nets = networks(memory=True)
    backend = kind(nets, *optimisers(nets))
    sides = [(nets.actor, nets.actor_target), (nets.critic_side(), nets.critic_side(target=True))]
    with torch.no_grad():
        for online, _ in sides:
            for parameter in online.parameters():
                parameter.add_(1.0)
    before = [[parameter.clone() for parameter in target.parameters()] for _, target in sides]
    backend.follow_targets(0.25)
    for (_, target), old in zip(sides, before, strict=True):
        for new, value in zip(target.parameters(), old, strict=True):
            torch.testing.assert_close(new, value + 0.25)


@pytest.mark.parametrize('n_transitions', [128, 512, 1024])
def test_large_critics_agree_to_a_hundred_thousandth_on_one_thread_and_on_two(n_transitions: int) -> None:
    """Of the largest gradient of each parameter; two threads give the same bits as one."""
    sides: list[Any] = []
    for kind, options in ((TorchBackend, {}), (NumbaBackend, {}), (NumbaBackend, {'threads': 2})):
        nets = networks(n_critics=2, sizes=(256, 256), state_dim=7)
        made: Any = kind
        sides.append(made(nets, *optimisers(nets, lr=0.0), **options))
    slow, fast, threaded = sides
    config, rng = numbers(trace=0.9, target_noise=0.2), np.random.default_rng(5)
    batch = random_batch(rng, 7, 8, slow.networks.actor.hidden_size, n_transitions // 8)
    noise = noise_for(batch, config, rng)
    expected, metrics, also = (update(side, batch, noise, config)[0] for side in sides)
    assert metrics == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert metrics == also
    for flat, twin, module in (
        (fast._actor, threaded._actor, slow.networks.actor),
        (fast._critics, threaded._critics, slow.networks.critic_side()),
    ):
        assert np.array_equal(flat.flat_gradient, twin.flat_gradient)
        for name, parameter in module.named_parameters():
            largest = parameter.grad.abs().max().item()
            np.testing.assert_allclose(
                flat.gradients[name], parameter.grad.numpy(), rtol=0, atol=1e-5 * largest, err_msg=name
            )
