"""The diagnostics of learning: equal in both backends, and without an effect on training."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backend_updates import noise_for, numbers, update
from batches import random_batch
from run_folders import rows
from toy import Reach

from velora_ros.liquid import Wiring
from velora_ros.models import LiquidDDPG
from velora_ros.models import agent as agent_module
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.agent_diagnostics import Outcome
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.replay_buffers import Transition
from velora_ros.training import DIAGNOSTICS, Callback, DiagnosticsRecord, RunPaths, StopTraining, loop_base

QUICK: dict[str, Any] = {'start_steps': 16, 'boost_ratio': 1.0, 'eval_every': 0, 'progress': False}
OF_AN_UPDATE = {
    'target_mean', 'twin_gap', 'action_saturation', 'hidden_saturation', 'actor_gradient', 'critic_gradient',
}  # fmt: skip


def networks(cell: str, *, memory: bool, n_critics: int = 2) -> Networks:
    wiring = Wiring.random(5, 12, 2, rng=np.random.default_rng(1), cell=cell)
    memory_wiring = Wiring.random(5, 10, 2, rng=np.random.default_rng(8)) if memory else None
    made = Networks(
        wiring, (16, 24), state_dim=5, n_critics=n_critics, memory_wiring=memory_wiring,
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip
    made.observation_normaliser.freeze(np.random.default_rng(3).normal(1, 2, (50, 5)))
    with torch.no_grad():
        made.actor.motor.weight.mul_(20)  # some outputs and states saturate
        made.actor.command.weight.mul_(20 if cell == 'gru' else 6)
    return made


def adams(nets: Networks) -> list[torch.optim.Adam]:
    return [torch.optim.Adam(side.parameters(), lr=1e-3) for side in (nets.actor, nets.critic_side())]


@pytest.mark.parametrize('cell', ['cfc', 'gru', 'mlp'])
@pytest.mark.parametrize(('memory', 'burn_in', 'n_critics', 'cut'), [(False, 0, 1, 0.0), (True, 3, 2, 0.1)])
def test_both_paths_say_the_same_and_update_as_if_they_had_not_been_asked(
    cell: str, memory: bool, burn_in: int, n_critics: int, cut: float
) -> None:
    config = numbers(
        gamma=0.98, tau=0.01, burn_in=burn_in, target_noise=0.2, max_grad_norm=cut, trace=0.7, reward_scale=0.5
    )
    results = []
    for kind in (TorchBackend, NumbaBackend):
        for asked in (True, False):
            nets, rng = networks(cell, memory=memory, n_critics=n_critics), np.random.default_rng(4)
            run = kind(nets, *adams(nets))
            said: list[dict[str, float]] = []
            for _ in range(3):
                batch = random_batch(rng, 5, 6 + burn_in, nets.actor.hidden_size + nets.memory_size)
                said.append(update(run, batch, noise_for(batch, config, rng), config, measure=asked)[1])
            values = run.value(batch.observation[0, 0], batch.hidden[0, nets.actor.hidden_size :], batch.action[0, 0])
            results.append((said, values, run.states(batch), copy.deepcopy(nets.state_dict())))
    by_torch, by_numba = results[0][0], results[2][0]
    for one, other in zip(by_torch, by_numba, strict=True):
        assert one.keys() == OF_AN_UPDATE - ({'twin_gap'} if n_critics == 1 else set())
        assert other == pytest.approx(one, rel=1e-4, abs=1e-5)
    assert 0 < by_torch[0]['action_saturation'] < 1
    assert 0 < by_torch[0]['hidden_saturation'] < 1
    assert results[2][1] == pytest.approx(results[0][1], rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(results[2][2], results[0][2], atol=1e-4)
    for asked, unasked in ((0, 1), (2, 3)):
        assert all(torch.equal(value, results[unasked][3][name]) for name, value in results[asked][3].items())


def test_gradient_norms_are_those_before_the_cut() -> None:
    free, cut = ({}, {})
    for seen, limit in ((free, 0.0), (cut, 1e-3)):
        for kind in (TorchBackend, NumbaBackend):
            nets = networks('cfc', memory=True)
            run = kind(nets, *adams(nets))
            batch = random_batch(np.random.default_rng(4), 5, 6, nets.actor.hidden_size + nets.memory_size)
            config = numbers(max_grad_norm=limit)
            seen.update(update(run, batch, np.zeros((6, 6, 2), np.float32), config, measure=True)[1])
            assert seen['critic_gradient'] > 1e-3
    assert cut == pytest.approx(free, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize('changes', [{}, {'n_critics': 2, 'critic_neurons': 6}, {'cell': 'gru'}, {'cell': 'mlp'}])
@pytest.mark.parametrize('optim', [torch.optim.Adam, torch.optim.AdamW])
def test_training_is_bit_for_bit_the_same_however_often_it_is_looked_at(
    changes: dict[str, Any], optim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, streams, seen = [], [], []
    for sample, record in ((1, 3), (10**9, 10**9)):
        monkeypatch.setattr(agent_module, 'SAMPLE_EVERY', sample)
        monkeypatch.setattr(loop_base, 'RECORD_EVERY', record)
        model = LiquidDDPG(2, 8, 1, optim=optim, critic_sizes=(16,), seed=3, **changes)
        result = model.train(Reach(length=7), 16, total_steps=60, noise_final=0.5, lr_decay_steps=100, **QUICK)
        weights.append(model.agent.networks.state_dict())
        streams.append([getattr(model.agent.streams, name).bit_generator.state for name in ('noise', 'replay')])
        seen.append({name for one in result.diagnostics for name, value in one.values.items() if not math.isnan(value)})
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert streams[0] == streams[1]
    missing = {'twin_gap'} if 'n_critics' not in changes else set()
    missing |= {'hidden_staleness'} if changes.get('cell') == 'mlp' else set()
    assert seen[0] == {one.name for one in DIAGNOSTICS} - missing
    assert not seen[1] & OF_AN_UPDATE


def test_records_tell_noise_rates_and_updates_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_base, 'RECORD_EVERY', 10)

    class Louder(Callback):
        def on_episode_start(self) -> dict[str, float]:
            return {'noise_scale': 0.8, 'actor_lr': 1e-3} if len(seen) == 2 else {}

        def on_diagnostics(self, record: DiagnosticsRecord) -> None:
            seen.append(record)

    seen: list[DiagnosticsRecord] = []
    model = LiquidDDPG(2, 6, 1, actor_lr=2e-3, critic_lr=3e-3, seed=0)
    result = model.train(
        Reach(length=10), 8, total_steps=45, noise_scale=0.4, lr_decay_steps=100, lr_final=0.01, noise_final=0.25,
        callbacks=[Louder()], **QUICK,
    )  # fmt: skip
    assert result.diagnostics == seen or repr(result.diagnostics) == repr(seen)
    assert [one.steps for one in seen] == [10, 20, 30, 40, 45]
    assert [one.values['updates'] for one in seen] == [0, 5, 15, 25, 30]
    for record in seen[1:]:
        share = (record.steps - 1) / 100  # acting comes before the step is counted, learning after it
        scale, rate = (0.4, 2e-3) if record.steps <= 20 else (0.8, 1e-3)
        assert record.values['noise'] == pytest.approx(scale * 0.25**share)
        assert record.values['actor_lr'] == pytest.approx(rate * 0.01 ** (record.steps / 100))
        assert record.values['critic_lr'] == pytest.approx(3e-3 * 0.01 ** (record.steps / 100))
        assert list(record.values) == [one.name for one in DIAGNOSTICS]


# --- Q against what came


def test_the_outcome_of_an_episode_is_discounted_by_the_time_that_passed() -> None:
    outcome = Outcome()
    assert math.isnan(outcome.expected)
    outcome.begin(10.0)
    for reward, elapsed in ((1.0, 1.0), (2.0, 3.0), (4.0, 1.0)):
        outcome.add(reward, 0.5, elapsed)
    assert outcome.end(0.0) == {'q_start': 10.0, 'q_bias': 10.0 - (1 + 2 / 2 + 4 / 16)}
    assert outcome.end(8.0) == {'q_start': 10.0, 'q_bias': 10.0 - (1 + 2 / 2 + 4 / 16 + 8 / 32)}


@pytest.mark.parametrize('optim', [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize(('full', 'neurons'), [(True, 0), (False, 0), (True, 6)])
def test_the_bias_is_what_the_critic_says_minus_what_came(full: bool, neurons: int, optim: Any) -> None:
    model = LiquidDDPG(2, 6, 1, optim=optim, critic_neurons=neurons, normalise=False, seed=1)
    model.train(Reach(length=5), 8, total_steps=40, **QUICK)
    model.agent.gathered.take()
    agent, networks_ = model.agent, model.agent.networks
    rng, hidden, own = np.random.default_rng(0), model.agent.initial_hidden(), model.agent.wiring.n_command
    observations = rng.normal(size=(4, 2)).astype(np.float32)
    q, total = [], 0.0
    for step in range(3):
        action, after = agent.act(observations[step], hidden, 1.0, 0.0)
        with torch.no_grad():
            seen = torch.as_tensor(np.concatenate([observations[step], after[own:]]))
            q.append(networks_.critics[0](seen, torch.as_tensor(action)).item())
        agent.remember(
            Transition(
                observations[step], action, 2.0, not full and step == 2, observations[step + 1], 1.0, 1.0, hidden,
                step == 0,
            )
        )  # fmt: skip
        total += 2.0 * 0.99**step
        hidden = after
    agent.end_episode(3, full=full)
    rest = 0.0
    if full:
        action, after = agent.act(observations[3], hidden, 1.0, 0.0)
        with torch.no_grad():
            seen = torch.as_tensor(np.concatenate([observations[3], after[own:]]))
            rest = 0.99**3 * networks_.critics[0](seen, torch.as_tensor(action)).item()
    gathered = agent.gathered.take()
    assert gathered['q_start'] == pytest.approx(q[0], abs=1e-5)
    assert gathered['q_bias'] == pytest.approx(q[0] - total - rest, abs=1e-5)


# --- stored hidden states


@pytest.mark.parametrize('changes', [{}, {'cell': 'gru'}, {'critic_neurons': 6}, {'cell': 'mlp', 'critic_neurons': 6}])
def test_hidden_states_of_the_present_network_are_fresh_and_those_of_another_stale(changes: dict[str, Any]) -> None:
    model = LiquidDDPG(2, 8, 1, normalise=False, seed=2, **changes)
    model.train(Reach(length=9), 8, total_steps=100, **{**QUICK, 'start_steps': 1000})  # the network stays the same
    agent = model.agent
    assert math.isnan(agent.diagnostics()['hidden_staleness'])  # nothing has been learnt yet
    agent.updates = 1
    assert agent.diagnostics()['hidden_staleness'] == pytest.approx(0, abs=1e-5)
    encoder = agent.networks.actor if 'critic_neurons' not in changes else agent.networks.memory
    assert encoder is not None
    with torch.no_grad():
        encoder.command.weight.add_(1.0)
    assert agent.diagnostics()['hidden_staleness'] > 0.1


def test_refreshed_hidden_states_are_less_out_of_date() -> None:
    staleness = []
    for refresh in (False, True):
        model = LiquidDDPG(2, 8, 1, actor_lr=0.01, seed=2)
        model.train(Reach(length=50), 32, total_steps=300, refresh_hidden=refresh, **QUICK)
        staleness.append(model.agent.diagnostics()['hidden_staleness'])
    assert staleness[1] < 0.5 * staleness[0]


# --- in a run's folder


def train(folder: Path, **changes: Any) -> LiquidDDPG:
    model = LiquidDDPG(2, 6, 1, n_critics=2, seed=3)
    options = {**QUICK, 'total_steps': 90, 'checkpoint_every': 0.0, 'resume': RunPaths(folder).holds_run, **changes}
    model.train(Reach(length=7), 8, run_dir=folder, **options)
    return model


class StopAt(Callback):
    def __init__(self, steps: int) -> None:
        self._steps = steps

    def on_step(self, steps: int) -> None:
        if steps == self._steps:
            raise StopTraining


@pytest.mark.parametrize('first', [{'total_steps': 40}, {'callbacks': [StopAt(45)]}, {'total_steps': 42}])
def test_a_resumed_run_has_the_diagnostics_of_one_that_never_stopped(
    first: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, 'SAMPLE_EVERY', 2)
    monkeypatch.setattr(loop_base, 'RECORD_EVERY', 12)
    train(tmp_path / 'whole')
    train(tmp_path / 'resumed', **first)
    train(tmp_path / 'resumed')
    whole, resumed = (rows(RunPaths(tmp_path / name).diagnostics) for name in ('whole', 'resumed'))
    assert [row['steps'] for row in whole] == ['12', '24', '36', '48', '60', '72', '84', '90']
    assert resumed == whole


def test_a_resumed_run_whose_actor_waits_has_its_losses_and_diagnostics_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, 'SAMPLE_EVERY', 7)
    monkeypatch.setattr(loop_base, 'RECORD_EVERY', 12)
    for name in ('whole', 'resumed'):
        if name == 'resumed':
            train(tmp_path / name, total_steps=49, actor_every=5)
        train(tmp_path / name, actor_every=5)
    whole, resumed = (RunPaths(tmp_path / name) for name in ('whole', 'resumed'))
    assert rows(resumed.diagnostics) == rows(whole.diagnostics)
    losses = [[row['actor_loss'] for row in rows(run.episodes)] for run in (whole, resumed)]
    assert losses[0] == losses[1]
    assert [bool(row['actor_gradient']) for row in rows(whole.diagnostics)[2:]] == [True] * 6


def test_a_run_of_before_there_were_diagnostics_goes_on_and_has_them_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint and folder lack all that diagnostics add."""
    from velora_ros.training import agent_file
    from velora_ros.training.runs import checkpoint

    pack, metadata_of = checkpoint.pack, agent_file.json.dumps

    def old_pack(state: Any) -> Any:
        arrays, values = pack(state)
        return {k: v for k, v in arrays.items() if k != 'diagnostics'}, {
            k: v for k, v in values.items() if k != 'diagnostics'
        }

    with monkeypatch.context() as old:
        old.setattr('velora_ros.training.runs.checkpoint.pack', old_pack)
        old.setattr(
            agent_file.json, 'dumps',
            lambda value, **kw: metadata_of(
                {k: v for k, v in value.items() if k != 'diagnostics'} if isinstance(value, dict) else value, **kw
            ),
        )  # fmt: skip
        train(tmp_path / 'run', total_steps=40)
    RunPaths(tmp_path / 'run').diagnostics.unlink()
    monkeypatch.setattr(loop_base, 'RECORD_EVERY', 30)
    train(tmp_path / 'run')
    assert [row['steps'] for row in rows(RunPaths(tmp_path / 'run').diagnostics)] == ['60', '90']
    train(tmp_path / 'whole')
    assert rows(RunPaths(tmp_path / 'run').episodes) == rows(RunPaths(tmp_path / 'whole').episodes)
