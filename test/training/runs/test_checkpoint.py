from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.training import EpisodeRecord, EvaluationRecord, EvaluationResult, RunConfig, RunFolder, TrainConfig
from velora_ros.training.records import RunState, TrainResult
from velora_ros.training.runs.checkpoint import pack, unpack
from velora_ros.training.runs.checkpoint_schedule import Checkpoints
from velora_ros.training.runs.paths import checkpoint_files

CONFIG = RunConfig('X', 0, TrainConfig())


def episode(number: int, **changes: float) -> EpisodeRecord:
    return EpisodeRecord(number, 10 * number, -0.1, 10, float('nan'), 1 / 3, 50.0, number / 7, **changes)


def state(episodes: int) -> RunState:
    return RunState(result=TrainResult([episode(number + 1) for number in range(episodes)]))


class Disk:
    """Writes checkpoints that take a while by the clock it owns."""

    def __init__(self, folder: RunFolder, *, cost: float = 0.0, **options: float) -> None:
        self.now, self.cost, self.written = 0.0, cost, []
        self.callback = Checkpoints(folder, self.write, clock=lambda: self.now, **options)  # type: ignore[arg-type]

    def write(self, path: Path, state: RunState) -> None:
        path.touch()
        self.now += self.cost
        self.written.append(state.steps)

    def run(self, episodes: int, seconds: float) -> list[int]:
        for number in range(episodes + 1):
            self.callback.on_between_episodes(state(number), last=False)
            self.now += seconds
        return self.written


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.start(tmp_path, CONFIG)


def test_there_is_one_before_the_first_episode_and_then_one_a_period(folder: RunFolder) -> None:
    assert Disk(folder, every=30.0).run(10, seconds=10.0) == [0, 30, 60, 90]


def test_a_period_of_zero_means_every_episode(folder: RunFolder) -> None:
    assert Disk(folder, every=0.0, cost=5.0).run(3, seconds=1.0) == [0, 10, 20, 30]


def test_a_slow_disk_makes_them_rarer(folder: RunFolder) -> None:
    disk = Disk(folder, every=1.0, cost=2.0)
    written = disk.run(1000, seconds=1.0)
    assert len(written) * disk.cost <= 0.011 * disk.now + disk.cost


def test_the_newest_are_kept(folder: RunFolder) -> None:
    Disk(folder, every=0.0, keep=2).run(4, seconds=1.0)
    assert [path.stem for path in checkpoint_files(folder)] == ['000000040', '000000030']


def test_a_run_that_was_killed_before_it_tidied_up_does_so_when_it_goes_on(folder: RunFolder) -> None:
    Disk(folder, every=0.0, keep=9).run(4, seconds=1.0)
    Disk(folder, every=0.0, keep=2).callback.on_resume(state(4))
    assert [path.stem for path in checkpoint_files(folder)] == ['000000040', '000000030']


def test_the_end_and_whoever_asks_get_one_too_and_are_told(folder: RunFolder) -> None:
    disk, told = Disk(folder, every=1000.0), []
    folder.on_checkpoint = lambda path: told.append(path.name)
    disk.run(2, seconds=1.0)
    folder.checkpoint_wanted = True
    disk.callback.on_between_episodes(state(3), last=False)
    disk.callback.on_between_episodes(state(4), last=False)
    disk.callback.on_between_episodes(state(4), last=True)
    disk.callback.on_between_episodes(state(4), last=True)  # it is there already
    assert disk.written == [0, 30, 40]
    assert told == ['000000000.safetensors', '000000030.safetensors', '000000040.safetensors']


@pytest.mark.parametrize('options', [{'every': -1.0}, {'every': float('nan')}, {'keep': 0}, {'keep': 1.5}])
def test_numbers_out_of_range_are_refused(folder: RunFolder, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match='checkpoint'):
        Disk(folder, **options)


numbers = st.floats(allow_nan=False, width=64)
outcomes = st.lists(numbers, min_size=1, max_size=4).map(lambda all_: EvaluationResult(tuple(all_), (7,) * len(all_)))


@given(st.lists(outcomes, max_size=5), numbers, numbers, st.integers(0, 4))
def test_the_state_of_the_loop_comes_back_bit_for_bit(
    results: list[EvaluationResult], credit: float, seconds: float, episodes: int
) -> None:
    before = state(episodes)
    before.credit, before.seconds, before.live = credit, seconds, {'noise_scale': 0.1}
    before.result.evaluations = [EvaluationRecord(i, i, seconds, one) for i, one in enumerate(results)]
    before.result.best_evaluation = before.result.evaluations[-1] if results else None
    after = unpack(*pack(before))
    assert (after.credit, after.seconds, after.live, after.steps) == (credit, seconds, before.live, before.steps)
    assert after.result.evaluations == before.result.evaluations
    assert after.result.best_evaluation == before.result.best_evaluation
    assert np.array_equal(
        [list(vars(one).values()) for one in after.result.episodes],
        [list(vars(one).values()) for one in before.result.episodes],
        equal_nan=True,
    )


def test_there_is_one_every_so_many_steps_however_fast_it_trains(folder: RunFolder) -> None:
    """Ten steps an episode, a tenth of a second each: the period alone would lose 3,000 steps."""
    written = Disk(folder, every=30.0, every_steps=500).run(300, seconds=0.1)
    assert written == [0, *range(500, 3001, 500)]


def test_one_follows_the_best_policy_so_far(folder: RunFolder) -> None:
    disk = Disk(folder, every=1e6, every_steps=10**9)
    disk.run(3, seconds=1.0)
    found = EvaluationRecord(35, 4, 4.0, EvaluationResult((9.0,), (1,)))
    disk.callback.on_evaluation(found, None, is_best=False)  # type: ignore[arg-type]
    disk.callback.on_between_episodes(state(4), last=False)
    disk.callback.on_evaluation(found, None, is_best=True)  # type: ignore[arg-type]
    disk.callback.on_between_episodes(state(5), last=False)
    disk.callback.on_between_episodes(state(6), last=False)
    assert disk.written == [0, 50]


def test_a_slow_disk_gives_a_twentieth_of_the_time_to_those_at_most(folder: RunFolder) -> None:
    disk = Disk(folder, every=1e6, every_steps=10, cost=2.0)
    written = disk.run(1000, seconds=1.0)
    assert 10 < len(written) * disk.cost <= 0.051 * disk.now + disk.cost
