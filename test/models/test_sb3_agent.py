"""The protocol of stable-baselines3's evaluate_policy, as its programs use it; the package itself is not needed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy
from velora_ros.policy.sb3_policy import SB3Policy
from velora_ros.training import Callback, evaluate

QUICK: dict[str, Any] = {'start_steps': 16, 'boost_ratio': 0.5, 'eval_every': 0}


class EvalCallback:
    """What a callback of stable-baselines3 looks like."""

    def init_callback(self, model: Any) -> None:
        """Begin."""


class Vector:
    """What DummyVecEnv does: environments side by side, each reset where its episode ends."""

    def __init__(self, *envs: Any) -> None:
        self.envs, self.num_envs = envs, len(envs)

    def reset(self) -> np.ndarray:
        return np.stack([env.reset(seed=7 + i)[0] for i, env in enumerate(self.envs)])

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        rows = []
        for env, action in zip(self.envs, actions, strict=True):
            observation, reward, terminated, truncated, info = env.step(action)
            done = terminated or truncated
            rows.append((env.reset()[0] if done else observation, reward, done, info))
        observations, rewards, dones, infos = zip(*rows, strict=True)
        return np.stack(observations), np.array(rewards, np.float32), np.array(dones), list(infos)


def evaluate_policy(model: Any, env: Vector, n_eval_episodes: int = 6, *, deterministic: bool = True) -> list[float]:
    """Evaluate as stable-baselines3 2.7 does: by position and keyword, states None at first, starts as an array."""
    returns: list[float] = []
    counts = np.zeros(env.num_envs, dtype='int')
    targets = np.array([(n_eval_episodes + i) // env.num_envs for i in range(env.num_envs)], dtype='int')
    current = np.zeros(env.num_envs)
    observations, states = env.reset(), None
    episode_starts = np.ones((env.num_envs,), dtype=bool)
    while (counts < targets).any():
        actions, states = model.predict(
            observations, state=states, episode_start=episode_starts, deterministic=deterministic
        )
        observations, rewards, dones, _ = env.step(actions)
        current += rewards
        episode_starts = dones
        for i in range(env.num_envs):
            if dones[i] and counts[i] < targets[i]:
                returns.append(float(current[i]))
                counts[i] += 1
                current[i] = 0
    return returns


@pytest.fixture(scope='module')
def agent() -> LiquidDDPG:
    model = LiquidDDPG(2, 6, 1, seed=3)
    model.train(Reach(), 16, total_steps=80, progress=False, **QUICK)
    return model


@pytest.mark.parametrize('n_envs', [1, 3])
def test_an_agent_and_its_policy_file_are_evaluated_unchanged_and_alike(
    agent: LiquidDDPG, tmp_path: Path, n_envs: int
) -> None:
    agent.export(tmp_path / 'policy.safetensors')
    models = (
        agent.as_sb3(),
        SB3Policy(tmp_path / 'policy.safetensors'),
        SB3Policy(Policy(agent.agent.policy_file())),
    )
    # Episodes of different lengths: the starts come one by one.
    found = [evaluate_policy(one, Vector(*(Reach(length=4 + i) for i in range(n_envs)))) for one in models]
    assert len(found[0]) == 6
    assert found[0] == found[1] == found[2]
    assert evaluate_policy(models[0], Vector(Reach()), deterministic=False) == evaluate_policy(
        models[1], Vector(Reach())
    )


def test_returns_are_those_of_our_own_evaluation(agent: LiquidDDPG) -> None:
    class Seeded(Vector):
        def reset(self) -> np.ndarray:
            return np.stack([env.reset(seed=11)[0] for env in self.envs])

    [theirs] = evaluate_policy(agent.as_sb3(), Seeded(Reach()), n_eval_episodes=1)
    env = Reach()
    policy = Policy(agent.agent.policy_file())
    observation, _ = env.reset(seed=11)
    ours = 0.0
    for _ in range(10):
        observation, reward, *_ = env.step(policy.step(observation).astype(np.float32))
        ours += reward
    assert theirs == pytest.approx(ours, rel=1e-5)
    assert len(evaluate(policy, Reach(), episodes=2).returns) == 2


def test_one_observation_gives_one_action_and_the_hidden_state_is_carried(agent: LiquidDDPG) -> None:
    model, policy = agent.as_sb3(), Policy(agent.agent.policy_file())
    state = None
    for place in (0.3, -0.2, 0.9):
        action, state = model.predict(np.array([place, 1.0]), state)
        assert action.shape == (1,) and action.dtype == np.float32
        assert action == pytest.approx(policy.step([place, 1.0]))
    again, _ = model.predict(np.array([0.3, 1.0]), state, episode_start=np.array([True]))
    policy.reset()
    assert again == pytest.approx(policy.step([0.3, 1.0]))


def test_learn_trains_so_many_steps_and_predictions_follow() -> None:
    class Counts(Callback):
        steps = 0

        def on_step(self, steps: int) -> None:
            self.steps = steps

    agent, counts = LiquidDDPG(2, 6, 1, seed=3), Counts()
    model = agent.as_sb3(Reach(), batch_size=16, **QUICK)
    before, _ = model.predict(np.ones(2))
    assert model.learn(total_timesteps=60, callback=counts) is model
    assert model.result is not None
    assert (counts.steps, model.result.steps, model.result.stopped_by) == (60, 60, 'steps')
    after, _ = model.predict(np.ones(2))
    assert after != pytest.approx(before)
    assert model.learn(20, None, 4, 'name', reset_num_timesteps=False).agent.agent.steps == 80
    assert model.get_env() is model.env


def test_what_does_not_fit_is_refused(agent: LiquidDDPG) -> None:
    model = agent.as_sb3()
    with pytest.raises(ConfigError, match=r'agent\.as_sb3\(env\)'):
        model.learn(10)
    for callback in (print, EvalCallback()):
        with pytest.raises(ConfigError, match=r'a callback is a .* derived from velora_ros\.training\.Callback'):
            agent.as_sb3(Reach()).learn(10, callback=callback)
    for observation, others in (
        (np.ones(3), {}),
        ('x', {}),
        (np.ones((2, 2)), {'state': (np.zeros((3, 2)),), 'episode_start': np.zeros(2, bool)}),
        (np.ones((2, 2)), {'episode_start': np.ones(1, bool)}),
        (np.array([np.nan, 1.0]), {}),
    ):
        with pytest.raises(ObservationError):
            model.predict(observation, **others)
