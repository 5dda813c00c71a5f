from typing import Any

import numpy as np
import pytest
from toy import Reach
from toy_tasks import reacher
from toy_vector import Walk, walks

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.gym import spec_from_env
from velora_ros.gym.make_vector import make_many_of
from velora_ros.policy import Policy
from velora_ros.training import evaluate
from velora_ros.training.evaluation import episode_seed, evaluate_together


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


def test_episodes_run_together_are_those_run_one_by_one(make_policy_file: Any) -> None:
    spec = spec_from_env(Walk())
    file = make_policy_file(n_observations=2, spec=spec, dt_range=(0.3, 1.0))
    one_by_one = evaluate(Policy(file), Walk(), episodes=6, seed=4, max_steps=8)
    together = evaluate_together(file, walks(6), seed=4, max_steps=8)
    assert together.lengths == one_by_one.lengths
    assert len(set(together.lengths)) > 1
    np.testing.assert_allclose(together.returns, one_by_one.returns, rtol=1e-5)


def test_episodes_of_a_task_are_evaluated_together(make_policy_file: Any) -> None:
    env = reacher().make()
    file = make_policy_file(
        n_observations=env.policy_spec.observation_dim, n_actions=env.policy_spec.action_dim, spec=env.policy_spec,
        dt_range=(0.02, 0.02),
    )  # fmt: skip
    make_many = make_many_of(env)
    assert make_many is not None
    together = evaluate_together(file, make_many(3), seed=4)
    one_by_one = evaluate(Policy(file), env, episodes=3, seed=4)
    assert together.lengths == one_by_one.lengths
    np.testing.assert_allclose(together.returns, one_by_one.returns, rtol=1e-3)
