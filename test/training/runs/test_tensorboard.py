from pathlib import Path
from typing import Any

import pytest
from event_files import scalars
from toy import Reach

from velora_ros.models import LiquidDDPG
from velora_ros.training import RunPaths

QUICK: dict[str, Any] = {'start_steps': 10, 'boost_ratio': 1.0, 'eval_every': 10, 'eval_episodes': 2, 'progress': False}


def test_tensorboard_reads_what_the_run_brought(tmp_path: Path) -> None:
    model = LiquidDDPG(2, 4, 1, seed=0)
    result = model.train(Reach(length=5), 8, n_episodes=4, eval_env=Reach(), run_dir=tmp_path, **QUICK)
    assert scalars(tmp_path, 'episode/return') == [
        (record.steps, pytest.approx(record.episode_return)) for record in result.episodes
    ]
    assert scalars(tmp_path, 'evaluation/mean') == [
        (record.steps, pytest.approx(record.result.mean)) for record in result.evaluations
    ]
    assert [step for step, _ in scalars(tmp_path, 'loss/critic')] == [10, 15, 20]  # NaN before the first update


def test_a_resumed_run_has_every_event_once(tmp_path: Path) -> None:
    for episodes in (3, 5):
        model = LiquidDDPG(2, 4, 1, seed=0)
        options = {**QUICK, 'resume': episodes == 5, 'checkpoint_every': 0.0}
        model.train(Reach(length=5), 8, n_episodes=episodes, eval_env=Reach(), run_dir=tmp_path, **options)
    assert [step for step, _ in scalars(tmp_path, 'episode/return')] == [5, 10, 15, 20, 25]
    assert [step for step, _ in scalars(tmp_path, 'evaluation/mean')] == [10, 20, 25]  # not the first end, 15
    assert len(list(RunPaths(tmp_path).events.iterdir())) == 1
