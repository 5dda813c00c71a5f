from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.models import LiquidDDPG
from velora_ros.training import Callback, RunPaths, TrainResult, evaluation_schedule

QUICK: dict[str, Any] = {'start_steps': 16, 'boost_ratio': 0.2, 'update_ratio': 0.1, 'progress': False}


class Counted(Reach):
    """Counts its steps."""

    steps = 0

    def step(self, action: np.ndarray) -> Any:
        self.steps += 1
        return super().step(action)


def trained(
    length: int, steps: int, eval_length: int | None = None, **options: Any
) -> tuple[LiquidDDPG, TrainResult, Counted]:
    model, eval_env = LiquidDDPG(2, 4, 1, seed=2), Counted(length=eval_length or length)
    result = model.train(Reach(length=length), 8, total_steps=steps, eval_env=eval_env, **{**QUICK, **options})
    return model, result, eval_env


@pytest.mark.parametrize('length', [3, 25, 200])
def test_evaluations_cost_about_a_tenth_of_the_training_and_come_at_the_end_too(length: int) -> None:
    _, result, eval_env = trained(length, 6000)
    last = result.evaluations[-1]
    before_the_end = sum(sum(one.result.lengths) for one in result.evaluations[:-1])
    assert eval_env.steps == before_the_end + sum(last.result.lengths)
    assert before_the_end <= 600
    assert last.steps == 6000 and len(last.result.lengths) == 10
    assert len(result.evaluations) == {3: 12, 25: 3, 200: 1}[length]


def test_an_evaluation_that_takes_longer_than_expected_is_cut_short() -> None:
    """The policy has learnt to stand: training episodes were short, evaluations are long."""
    _, result, eval_env = trained(5, 4000, 300)
    assert all(one.result.lengths == (300,) * len(one.result.lengths) for one in result.evaluations)
    assert eval_env.steps <= 2000 + 300
    assert [len(one.result.lengths) for one in result.evaluations[:1]] == [1]


@pytest.mark.parametrize('steps', [40, 290])
def test_a_training_shorter_than_one_evaluation_has_none(steps: int) -> None:
    _, result, eval_env = trained(300, steps)
    assert result.evaluations == []
    assert eval_env.steps == 0
    assert result.best_policy is None


def test_where_evaluations_come_does_not_change_what_is_learnt() -> None:
    def weights(**options: Any) -> dict[str, np.ndarray]:
        return dict(trained(20, 1500, **options)[0].agent.policy_file().tensors)

    plain, often = weights(), weights(eval_every=100)
    for name, tensor in weights(eval_every=0).items():
        np.testing.assert_array_equal(tensor, plain[name])
        np.testing.assert_array_equal(tensor, often[name])


def test_the_last_policy_is_evaluated_if_an_older_one_was() -> None:
    assert [one.steps for one in trained(10, 250, eval_every=100)[1].evaluations] == [100, 200, 250]
    assert [one.steps for one in trained(10, 200, eval_every=100)[1].evaluations] == [100, 200]
    assert trained(10, 90, eval_every=100)[1].evaluations == []  # without an evaluation the last policy is the best


def test_a_run_that_starts_from_a_file_and_is_shorter_than_eval_every_does_not_keep_only_the_start(
    tmp_path: Path,
) -> None:
    trained(10, 200)[0].export(tmp_path / 'start.safetensors')
    model = LiquidDDPG.from_policy(tmp_path / 'start.safetensors', seed=3)
    result = model.train(Reach(), 8, total_steps=60, eval_env=Reach(), eval_every=100, eval_episodes=1, **QUICK)
    assert [one.steps for one in result.evaluations] == [0, 60]


def test_a_second_call_begins_to_count_anew() -> None:
    model, _, _ = trained(10, 700)
    result = model.train(Reach(), 8, total_steps=700, eval_env=Reach(), **QUICK)
    assert [one.steps for one in result.evaluations] == [700 + 700]
    assert evaluation_schedule.spent(result) == 100


def test_a_resumed_run_evaluates_where_an_uninterrupted_one_does(tmp_path: Any) -> None:
    class Stop(Callback):
        def on_step(self, steps: int) -> None:
            if steps == 799:
                raise KeyboardInterrupt

    def train(folder: str, *callbacks: Callback, steps: int = 1200) -> None:
        trained(5, steps, run_dir=tmp_path / folder, resume=RunPaths(tmp_path / folder).holds_run,
                checkpoint_every=0.02, callbacks=callbacks)  # fmt: skip

    train('whole')
    with pytest.raises(KeyboardInterrupt):
        train('cut', Stop())
    train('cut')
    train('longer', steps=500)  # the evaluation at its end is not the longer run's
    train('longer')

    def evaluations(folder: str) -> list[list[str]]:
        rows = RunPaths(tmp_path / folder).evaluations.read_text().splitlines()
        return [[cell for place, cell in enumerate(row.split(',')) if place != 2] for row in rows]  # not the seconds

    assert len(evaluations('whole')) > 3
    assert evaluations('cut') == evaluations('longer') == evaluations('whole')
