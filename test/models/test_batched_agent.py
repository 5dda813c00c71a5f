"""n streams in one call are n single streams; the actor moves in every actor_every-th update."""

import logging
from typing import Any

import numpy as np
import pytest
import torch

from velora_ros.liquid.cell_registry import CELLS
from velora_ros.models import LiquidDDPG
from velora_ros.replay_buffers import Transitions
from velora_ros.training import TrainConfig


@pytest.mark.parametrize('critic_neurons', [0, 6])
@pytest.mark.parametrize('cell', CELLS)
@pytest.mark.parametrize('backend', ['torch', 'numba'])
def test_a_batched_step_is_that_of_each_stream_alone(backend: str, cell: str, critic_neurons: int) -> None:
    agent = LiquidDDPG(5, 12, 2, seed=1, backend=backend, cell=cell, critic_neurons=critic_neurons).agent
    rng, n = np.random.default_rng(0), 7
    hidden = agent.initial_hidden_batch(n)
    for _ in range(3):
        observation = rng.standard_normal((n, 5), np.float32)
        dt = rng.uniform(0.5, 2, n).astype(np.float32)
        alone = [agent.act(observation[s], hidden[s], float(dt[s]), 0.0) for s in range(n)]
        action, hidden = agent.act_batch(observation, hidden, dt, np.zeros(n, np.float32))
        np.testing.assert_allclose(action, np.stack([one[0] for one in alone]), rtol=0, atol=1e-6)
        np.testing.assert_allclose(hidden, np.stack([one[1] for one in alone]), rtol=0, atol=1e-6)


def test_a_stream_explores_alike_whatever_the_others_do() -> None:
    actions = []
    for n, scale in ((2, 0.1), (5, 0.4)):
        agent = LiquidDDPG(5, 12, 2, seed=1).agent
        agent.set_streams(n)
        scales = np.full(n, scale, np.float32)
        scales[0] = 0.3
        zeros = np.zeros((n, 5), np.float32)
        actions.append(agent.act_batch(zeros, agent.initial_hidden_batch(n), np.ones(n, np.float32), scales)[0])
    np.testing.assert_allclose(actions[0][0], actions[1][0], rtol=0, atol=1e-6)
    assert np.abs(actions[1][0] - actions[1][1]).max() > 0.01


def filled_agent(**options: Any) -> Any:
    agent = LiquidDDPG(5, 12, 2, seed=1, normalise=False, policy_tau=0.1, **options).agent
    agent.set_streams(3)
    agent.configure(TrainConfig(batch_size=16, sequence_length=4, actor_every=3))
    rng, ones = np.random.default_rng(0), np.ones(3, np.float32)
    for number in range(20):
        normal = lambda width: rng.standard_normal((3, width), np.float32)  # noqa: E731
        agent.remember_batch(
            Transitions(
                normal(5), np.tanh(normal(2)), ones, ones < 0, normal(5), ones, ones,
                np.tanh(normal(agent.hidden_size)), np.full(3, number == 0),
            ),
            np.ones(3, bool),
        )  # fmt: skip
    return agent


@pytest.mark.parametrize('backend', ['torch', 'numba'])
def test_the_actor_its_average_and_its_target_move_in_every_third_update(backend: str) -> None:
    agent = filled_agent(backend=backend)
    sides = ('actor', 'actor_target', 'actor_average', 'critics', 'critics_target')
    for number in range(1, 7):
        before = {side: [p.clone() for p in getattr(agent.networks, side).parameters()] for side in sides}
        agent.learn()
        moved = {
            side
            for side in sides
            if any(
                not torch.equal(p, b)
                for p, b in zip(getattr(agent.networks, side).parameters(), before[side], strict=True)
            )
        }
        assert moved == (set(sides) if number % 3 == 0 else {'critics', 'critics_target'})


def test_a_share_of_episodes_is_said_to_have_no_effect_in_a_vector(caplog: pytest.LogCaptureFixture) -> None:
    agent = filled_agent()
    with caplog.at_level(logging.WARNING, 'velora_ros'):
        agent.configure(TrainConfig(batch_size=16, sequence_length=4, episode_share=0.5, refresh_hidden=True))
    assert 'episode_share is 0.5 but has no effect: sequences from a vector' in caplog.text
    assert 'refresh_hidden has no effect' in caplog.text
