"""Means of what a task reports of its reward: per step, over all streams, and exact over a break."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_folders import events, rows
from run_in_vector import train
from toy_tasks import reacher

from velora_ros.models import LiquidDDPG
from velora_ros.training import RunPaths, loop_base
from velora_ros.training.reward_terms import TermMeans


def info(*values: float) -> dict[str, Any]:
    given = np.array(values)
    return {'terms': {'alive': given, 'text': np.array(['a'] * len(values))}, 'metrics': {'speed': 2 * given}}


def test_means_are_per_step_over_all_streams() -> None:
    means = TermMeans()
    means.add(info(1.0, 3.0))
    means.add(info(5.0, 7.0))
    means.add({'terms': 3})
    assert means.take() == {'reward/alive': 4.0, 'metrics/speed': 8.0}
    assert means.take() == {}


def test_an_environment_that_reports_none_has_none() -> None:
    means = TermMeans()
    means.add({'dt': 0.1})
    assert means.state() == means.take() == {}


def test_a_restored_state_goes_on_exactly() -> None:
    whole, broken, resumed = TermMeans(), TermMeans(), TermMeans()
    for values in ([0.1, 0.7], [1e-9, 3.0]):
        whole.add(info(*values))
        broken.add(info(*values))
    resumed.restore(broken.state())
    whole.add(info(0.3, 0.2))
    resumed.add(info(0.3, 0.2))
    assert resumed.take() == whole.take()


@pytest.mark.parametrize('streams', [1, 3])
def test_a_run_of_a_task_writes_what_each_term_paid(
    streams: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_base, 'RECORD_EVERY', 90)
    env = reacher().make_vec(3) if streams == 3 else reacher().make()
    space = env.single_observation_space if streams == 3 else env.observation_space
    model = LiquidDDPG(space.shape[0], 4, 2, critic_sizes=(8,), seed=3)
    options = {'start_steps': 40, 'boost_steps': 0, 'update_ratio': 0.1, 'eval_every': 0, 'progress': False}
    result = model.train(env, 32, total_steps=300, run_dir=tmp_path, **options)
    table = rows(RunPaths(tmp_path).reward_terms)
    assert [int(row['steps']) for row in table] == [90, 180, 270, 300]
    terms = [name for name in table[0] if name.startswith('reward/')]
    assert len(terms) == 2
    assert [one.terms for one in result.diagnostics] == [
        {n: float(row[n]) for n in one.terms} for one, row in zip(result.diagnostics, table, strict=True)
    ]
    first = model.agent.buffer.rewards_and_terminations()[0]
    paid = sum(float(row[name]) * count for row, count in zip(table, (90, 90, 90, 30), strict=True) for name in terms)
    assert paid == pytest.approx(float(first.sum()), rel=1e-3)
    assert [step for step, _ in events(RunPaths(tmp_path))[terms[0]]] == [90, 180, 270, 300]


def test_a_run_without_a_task_has_no_such_table(tmp_path: Path) -> None:
    train('saved', tmp_path)
    assert not RunPaths(tmp_path).reward_terms.exists()
