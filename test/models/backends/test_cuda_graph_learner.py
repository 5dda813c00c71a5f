"""Updates that stay on the device compute what the torch backend computes on the same batch and noise."""

from typing import Any

import numpy as np
import pytest
import torch

from velora_ros.liquid import Wiring
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.cuda_graph_learner import DeviceLearner, undone
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.replay_buffers import Batch, SequenceBuffer, StreamBuffer, Transitions
from velora_ros.training import TrainConfig

OBSERVATIONS, ACTIONS = 5, 2


def backend(*, memory: bool = False, state_dim: int = OBSERVATIONS) -> TorchBackend:
    wiring = Wiring.random(OBSERVATIONS, 12, ACTIONS, rng=np.random.default_rng(1))
    memory_wiring = Wiring.random(OBSERVATIONS, 10, ACTIONS, rng=np.random.default_rng(8)) if memory else None
    made = Networks(
        wiring, (16, 24), state_dim=state_dim, n_critics=2, memory_wiring=memory_wiring,
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip
    made.observation_normaliser.freeze(np.random.default_rng(3).normal(1, 2, (50, OBSERVATIONS)))
    sides = (made.actor, made.critic_side())
    return TorchBackend(made, *(torch.optim.Adam(side.parameters(), lr=1e-3) for side in sides))


def transitions(rng: np.random.Generator, n: int, hidden: int, state_dim: int) -> Transitions:
    normal = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    return Transitions(
        normal(n, OBSERVATIONS), np.tanh(normal(n, ACTIONS)), normal(n), rng.random(n) < 0.1, normal(n, OBSERVATIONS),
        1 + rng.random(n), 1 + rng.random(n), np.tanh(normal(n, hidden)), rng.random(n) < 0.2,
        normal(n, state_dim), normal(n, state_dim),
    )  # fmt: skip


def filled(side: TorchBackend, state_dim: int, steps: int = 60, n_streams: int = 3) -> StreamBuffer:
    hidden, rng = side.networks.actor.hidden_size + side.networks.memory_size, np.random.default_rng(4)
    buffer = StreamBuffer(60, n_streams, OBSERVATIONS, ACTIONS, hidden, state_dim=state_dim)
    for _ in range(steps):
        buffer.add(transitions(rng, n_streams, hidden, state_dim), rng.random(n_streams) < 0.8)
    return buffer


def same_on_the_host(learner: DeviceLearner, buffer: StreamBuffer, config: TrainConfig) -> tuple[Batch, np.ndarray]:
    """The batch and the noise that a learner has drawn."""
    batch = buffer.empty_batch(config.n_sequences, config.burn_in + config.sequence_length)
    places = learner.places.numpy()

    class Drawn:
        def random(self, size: int) -> np.ndarray:
            assert size == len(places)
            return places.copy()

    drawn: Any = Drawn()
    return buffer.sample(*batch.reward.shape, drawn, into=batch), learner.noise.numpy().copy()


@pytest.mark.parametrize(
    ('memory', 'state_dim', 'options'),
    [
        (False, 5, {}),
        (True, 7, {'burn_in': 2, 'trace_width': 0.3, 'mean_share': 0.4, 'motor_penalty': 0.1, 'max_grad_norm': 0.5}),
        (False, 7, {'trace': 0.0, 'target_noise': 0.0, 'reward_scale': 0.5, 'gamma': 0.9}),
    ],
)
def test_weights_after_updates_are_those_of_the_torch_backend(
    memory: bool, state_dim: int, options: dict[str, Any]
) -> None:
    config = TrainConfig(**{'batch_size': 32, 'sequence_length': 4, 'actor_every': 2, **options})
    device, host = (backend(memory=memory, state_dim=state_dim) for _ in range(2))
    buffer = filled(device, state_dim)
    learner = DeviceLearner(device, buffer, config, seed=3, graphs=False)
    for number in range(1, 5):
        buffer.add(transitions(np.random.default_rng(number), 3, hidden_of(device), state_dim))
        learner.update(number, actor=number % 2 == 0)
        batch, noise = same_on_the_host(learner, buffer, config)
        data = host.prepare(batch, config.burn_in)
        critic, _ = host.critic_step(data, host.targets(data, noise, config), config)
        if number % 2 == 0:
            host.actor_step(data, config)
        host.follow_targets(config.tau, actor=number % 2 == 0)
        metrics = learner.metrics()
        assert {name: metrics[name] for name in critic} == pytest.approx(critic, rel=1e-4)
    expected = dict(host.networks.named_parameters())
    for name, parameter in device.networks.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-4, atol=1e-5, msg=lambda text, n=name: n + text)


def hidden_of(side: TorchBackend) -> int:
    return side.networks.actor.hidden_size + side.networks.memory_size


def test_the_chance_of_an_update_is_a_function_of_seed_and_number() -> None:
    config = TrainConfig(batch_size=32, sequence_length=4)
    draws = []
    for seed, number in ((3, 7), (3, 7), (3, 8), (4, 7)):
        side = backend()
        learner = DeviceLearner(side, filled(side, 5), config, seed=seed, graphs=False)
        learner.draw(number)
        draws.append(torch.cat([learner.places.flatten(), learner.noise.double().flatten()]))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[3])


def test_a_single_environment_is_copied_to_the_device_as_it_comes() -> None:
    side, config = backend(), TrainConfig(batch_size=32, sequence_length=4, buffer_size=40)
    hidden, rng = hidden_of(side), np.random.default_rng(0)
    buffer = SequenceBuffer(40, OBSERVATIONS, ACTIONS, hidden)

    def add(count: int) -> None:
        for _ in range(count):
            buffer.add(transitions(rng, 1, hidden, OBSERVATIONS)._replace(state=None, next_state=None).of(0))

    add(30)
    learner = DeviceLearner(side, buffer, config, seed=0, graphs=False)
    for count in (1, 7, 100):
        add(count)
        learner.update(count, actor=True)
        np.testing.assert_array_equal(learner._rows.rows.numpy(), buffer.rows)


def test_updates_before_a_recording_leave_no_trace() -> None:
    side, config = backend(), TrainConfig(batch_size=32, sequence_length=4)
    learner = DeviceLearner(side, filled(side, 5), config, seed=3, graphs=False)
    weights = {name: value.clone() for name, value in side.networks.state_dict().items()}
    optimizers = (side.actor_optimizer, side.critic_optimizer)
    with undone(side.networks, optimizers):
        learner.update(1, actor=True)
    assert all(torch.equal(value, weights[name]) for name, value in side.networks.state_dict().items())
    states = [value for one in optimizers for state in one.state.values() for value in state.values()]
    assert states
    assert not any(value.any() for value in states)


def test_without_a_compiler_updates_are_the_same_and_a_line_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_compiler(*_: Any, **__: Any) -> Any:
        raise RuntimeError('Failed to find C compiler.\nSet CC.')

    config, ways = TrainConfig(batch_size=32, sequence_length=4), [backend(), backend()]
    monkeypatch.setattr(torch, 'compile', lambda *_, **__: no_compiler)
    for side, compiled in zip(ways, (True, False), strict=True):
        learner = DeviceLearner(side, filled(side, 5), config, seed=3, graphs=False)
        if compiled:
            learner.compile()
        learner.update(1, actor=True)
    assert 'Failed to find C compiler.); updates take about twice as long' in caplog.text
    expected = ways[1].networks.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in ways[0].networks.state_dict().items())


@pytest.mark.slow
def test_compiled_updates_are_the_same_to_rounding() -> None:
    options = {'burn_in': 2, 'trace_width': 0.3, 'mean_share': 0.4, 'motor_penalty': 0.1, 'max_grad_norm': 0.5}
    config, ways = TrainConfig(batch_size=32, sequence_length=4, **options), [backend(memory=True) for _ in range(2)]
    for side, compiled in zip(ways, (True, False), strict=True):
        learner = DeviceLearner(side, filled(side, 5), config, seed=3, graphs=False)
        plain = learner._losses
        if compiled:
            learner.compile()
            assert learner._losses is not plain, 'it fell back'
        for number in (1, 2):
            learner.update(number, actor=True)
    expected = ways[1].networks.state_dict()
    for name, value in ways[0].networks.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)
