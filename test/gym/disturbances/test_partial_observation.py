import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import PartialObservation, make, spec_from_env

PENDULUM = 'InvertedPendulum-v5'


def rollout(env, steps=30):
    observation, info = env.reset(seed=0)
    seen = [(observation, 0.0, False, False, info)]
    while len(seen) <= steps and not (seen[-1][2] or seen[-1][3]):
        seen.append(env.step(np.full(env.action_space.shape, 0.1, np.float32)))
    return seen


def test_the_policy_sees_the_kept_entries_and_the_critic_all():
    env = PartialObservation(make(PENDULUM), ['hinge/position', 0])
    for observation, *_, info in rollout(env):
        np.testing.assert_array_equal(observation, info['privileged_state'][[1, 0]])
        assert info['privileged_state'].shape == (4,)
        assert env.observation_space.contains(observation)


def test_positions_are_kept_by_default():
    assert spec_from_env(PartialObservation(make(PENDULUM))).observation_names == ('slider/position', 'hinge/position')


@pytest.mark.parametrize(
    'keep', [[], [0, 0], [4], [-1], [0.5], [True], 'velocities', ['hinge/angle'], ['hinge/position', 1]]
)
def test_a_senseless_selection_is_refused(keep):
    with pytest.raises(ConfigError, match='keep'):
        PartialObservation(make(PENDULUM), keep)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'hinge/position'"):
        PartialObservation(make(PENDULUM), ['hinge/positon'])


def test_the_critic_can_be_left_in_the_dark_as_well():
    env = PartialObservation(gym.make('InvertedPendulum-v5'), privileged=False)
    _, info = env.reset(seed=0)
    assert 'privileged_state' not in info
    assert 'privileged_state' not in env.step(env.action_space.sample())[-1]
    env.close()
