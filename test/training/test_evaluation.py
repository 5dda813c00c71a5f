from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.training import evaluate
from velora_ros.training.evaluation import episode_seed


class Cancel:
    """The right answer to `Reach`."""

    def __init__(self) -> None:
        self.resets = 0
        self.times: list[float | None] = []

    def reset(self) -> None:
        self.resets += 1

    def step(self, observation: Any, dt: float | None = None) -> np.ndarray:
        self.times.append(dt)
        return -np.asarray(observation)[:1]


def test_every_episode_starts_fresh_and_counts() -> None:
    policy = Cancel()
    result = evaluate(policy, Reach(length=5), episodes=4, seed=1)
    assert policy.resets == 4
    assert result.lengths == (5, 5, 5, 5)
    assert result.mean == pytest.approx(0, abs=1e-6)


def test_the_same_seed_gives_the_same_episodes_and_another_others() -> None:
    class Still(Cancel):
        def step(self, observation: Any, dt: float | None = None) -> np.ndarray:
            return np.zeros(1)

    first, again, other = (evaluate(Still(), Reach(), episodes=3, seed=seed).returns for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len({episode_seed(1, index) for index in range(100)}) == 100


def test_an_episode_can_be_cut_short() -> None:
    assert evaluate(Cancel(), Reach(length=50), episodes=1, max_steps=7).lengths == (7,)


def test_no_episodes_are_refused() -> None:
    with pytest.raises(ConfigError, match='at least 1'):
        evaluate(Cancel(), Reach(), episodes=0)


def test_an_environment_that_fails_in_an_evaluation_is_one_sentence() -> None:
    class Gone(Reach):
        def step(self, action: np.ndarray) -> Any:
            raise ConnectionError('the robot\nis gone')

    with pytest.raises(UnsupportedEnvironmentError, match=r'failed in step 1 of an evaluation .*the robot is gone'):
        evaluate(Cancel(), Gone(), episodes=1)
