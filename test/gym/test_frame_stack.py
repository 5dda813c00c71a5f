import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import Disturbances, disturb, make
from velora_ros.gym.frame_stack import stack_frames

PENDULUM = 'InvertedPendulum-v5'
JITTER = Disturbances(period_jitter=0.5, observation_noise=0.1)


def test_the_last_frames_come_with_their_times():
    env, plain = stack_frames(disturb(make(PENDULUM), JITTER), 3), disturb(make(PENDULUM), JITTER)
    frames = []
    stacked, _ = env.reset(seed=3)
    observation, info = plain.reset(seed=3)
    frames += [np.append(observation, 0.0)] * 3
    np.testing.assert_array_equal(stacked, np.concatenate(frames[-3:]))
    for _ in range(6):
        stacked, *_, stacked_info = env.step(np.zeros(1, np.float32))
        observation, *_, info = plain.step(np.zeros(1, np.float32))
        frames.append(np.append(observation, info['dt'] / 0.04 - 1))
        np.testing.assert_allclose(stacked, np.concatenate(frames[-3:]))
        np.testing.assert_array_equal(stacked_info['privileged_state'], info['privileged_state'])
        assert env.observation_space.contains(stacked)


def test_a_second_environment_can_be_made_from_the_spec():
    env = stack_frames(disturb(make(PENDULUM), JITTER), 4)
    second = gym.make(env.spec)
    np.testing.assert_array_equal(env.reset(seed=2)[0], second.reset(seed=2)[0])
    assert env.observation_space.shape == (20,)


def test_no_frames_at_all_are_refused():
    with pytest.raises(ConfigError, match='n_frames is 0'):
        stack_frames(make(PENDULUM), 0)
