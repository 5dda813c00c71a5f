import gymnasium
import numpy as np
import pytest

from velora_ros.gym import Disturbances, disturb
from velora_ros.gym.save_env_state import can_be_saved, restore, state_of

IDS = ['Ant-v5', 'Hopper-v5', 'Humanoid-v5', 'InvertedDoublePendulum-v5', 'Pusher-v5', 'Reacher-v5']


def steps(env: gymnasium.Env, rng: np.random.Generator, count: int) -> list[tuple[bytes, float, bool, bool]]:
    """What steps return, with resets where episodes end."""
    seen = []
    for _ in range(count):
        action = rng.uniform(env.action_space.low, env.action_space.high).astype(np.float32)  # type: ignore[attr-defined]
        observation, reward, terminated, truncated, _ = env.step(action)
        seen.append((observation.tobytes(), float(reward), terminated, truncated))
        if terminated or truncated:
            observation, _ = env.reset()  # draws from the environment's generator
            seen.append((observation.tobytes(), 0.0, False, False))
    return seen


@pytest.mark.parametrize('name', IDS)
def test_an_environment_goes_on_to_the_bit_in_another_object(name: str) -> None:
    one, other = gymnasium.make(name, max_episode_steps=20), gymnasium.make(name, max_episode_steps=20)
    one.reset(seed=1)
    other.reset(seed=2)
    steps(one, np.random.default_rng(0), 13)
    steps(other, np.random.default_rng(5), 4)
    assert can_be_saved(one)
    restore(other, state_of(one))
    assert steps(one, np.random.default_rng(3), 40) == steps(other, np.random.default_rng(3), 40)


def test_what_keeps_a_state_of_its_own_is_not_said_to_be_saved() -> None:
    assert not can_be_saved(disturb(gymnasium.make('InvertedPendulum-v5'), Disturbances(observation_delay=(1, 1))))
    assert not can_be_saved(gymnasium.make('Pendulum-v1'))
