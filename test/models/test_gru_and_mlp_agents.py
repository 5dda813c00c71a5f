"""LiquidDDPG with a control for an actor, and with an actor that is not told the time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.errors import ConfigError
from velora_ros.gym import Disturbances, disturb, make
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy

CONTROLS = ['gru', 'mlp']
QUICK = {'start_steps': 64, 'boost_ratio': 1.0, 'eval_every': 0, 'progress': False}


@pytest.mark.parametrize('cell', CONTROLS)
def test_a_control_learns_a_trivial_task(cell: str) -> None:
    model = LiquidDDPG(2, 20, 1, cell=cell, actor_lr=1e-3, seed=0)
    model.train(Reach(), 64, total_steps=1200, gamma=0.5, trace=0.0, **{**QUICK, 'boost_ratio': 2.0})
    error = [abs(model.predict(np.array([place, 1.0]), noise_scale=0)[0][0] + place) for place in (-0.8, 0.0, 0.8)]
    assert max(error) < 0.25


@pytest.mark.parametrize('cell', CONTROLS)
def test_the_runtime_computes_what_the_trained_network_does(cell: str, tmp_path: Path) -> None:
    env = disturb(make('InvertedPendulum-v5'), Disturbances(period_jitter=0.5))
    model = LiquidDDPG(4, 20, 1, cell=cell, seed=1)
    model.train(env, 64, total_steps=200, **QUICK)
    model.export(tmp_path / 'p.safetensors')
    policy = Policy.load(tmp_path / 'p.safetensors')
    assert policy.file.cell == cell
    rng, hidden = np.random.default_rng(2), None
    for step in range(300):
        observation, dt = rng.normal(size=4), rng.uniform(0.0, 0.1) if step else None
        action, hidden = model.predict(observation, hidden, noise_scale=0, dt=dt)
        np.testing.assert_allclose(policy.step(observation, dt), action, rtol=0, atol=1e-5 * 6)
    env.close()


@pytest.mark.parametrize('cell', CONTROLS)
def test_save_and_load_keep_the_cell(cell: str, tmp_path: Path) -> None:
    model = LiquidDDPG(2, 12, 1, cell=cell, dt_input=False, seed=3)
    model.train(Reach(), 64, total_steps=100, **QUICK)
    model.save(tmp_path / 'm.safetensors', buffer=True)
    loaded = LiquidDDPG.load(tmp_path / 'm.safetensors')
    assert loaded.agent.wiring.cell == cell
    assert not loaded.agent.config.dt_input
    state = np.array([0.3, 1.0])
    np.testing.assert_array_equal(loaded.predict(state, noise_scale=0)[0], model.predict(state, noise_scale=0)[0])
    for one in (model, loaded):
        one.train(Reach(), 64, total_steps=50, **QUICK)
    np.testing.assert_array_equal(loaded.predict(state, noise_scale=0)[0], model.predict(state, noise_scale=0)[0])


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(ConfigError, match="cell is 'lstm'; it must be one of cfc, gru, mlp"):
        LiquidDDPG(4, 20, 1, cell='lstm')


@pytest.mark.parametrize('cell', ['cfc', 'gru'])
def test_without_the_time_as_an_input_the_policy_reads_the_nominal_period(cell: str, tmp_path: Path) -> None:
    env = disturb(make('InvertedPendulum-v5'), Disturbances(period_jitter=0.5, dropped_frames=0.3))
    model = LiquidDDPG(4, 20, 1, cell=cell, dt_input=False, seed=1)
    model.train(env, 64, total_steps=200, **QUICK)
    policy = Policy(model.agent.policy_file())
    assert policy.dt_range == (policy.period, policy.period)
    observation, actions = np.full(4, 0.1), set()
    for dt in (0.01, 0.04, 0.1):
        policy.reset()
        policy.step(observation)
        actions.add(float(policy.step(observation, dt)[0]))
    assert len(actions) == 1
    env.close()


def test_the_discount_counts_the_time_that_the_actor_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    env = disturb(make('InvertedPendulum-v5'), Disturbances(dropped_frames=0.5))
    model = LiquidDDPG(4, 20, 1, dt_input=False, seed=1)
    seen = []
    prepare = model.agent.backend.prepare

    def watch(batch: Any, burn_in: int) -> Any:
        seen.append(batch)
        return prepare(batch, burn_in)

    monkeypatch.setattr(model.agent.backend, 'prepare', watch)
    model.train(env, 64, total_steps=100, **QUICK)
    assert seen
    for batch in seen:
        assert (batch.dt == 1).all() and (batch.next_dt == 1).all()
        assert batch.elapsed.max() > 1.5
    env.close()
