import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import (
    ActionDelay,
    Disturbances,
    ObservationNoise,
    PartialObservation,
    TimingJitter,
    disturb,
    make,
    signal_deviation,
    spec_from_env,
)

PENDULUM = 'InvertedPendulum-v5'
T = 0.04
EVERYTHING = Disturbances(
    period_jitter=0.5, dropped_frames=0.3, action_delay=(1, 2), observation_noise=0.1, positions_only=True
)


def stack(env):
    kinds = []
    while isinstance(env, gym.Wrapper):
        kinds.append(type(env))
        env = env.env
    return kinds


def test_without_disturbances_the_environment_stays_as_it_is():
    env = make(PENDULUM)
    assert disturb(env, Disturbances()) is env


def test_the_order_is_noise_around_time_around_delay():
    kinds = stack(disturb(make(PENDULUM), EVERYTHING))
    assert kinds[:4] == [PartialObservation, ObservationNoise, TimingJitter, ActionDelay]


def test_the_names_of_the_signals_survive():
    assert spec_from_env(disturb(make(PENDULUM), EVERYTHING)).observation_names == (
        'slider/position',
        'hinge/position',
    )


def test_a_second_environment_of_the_same_making_behaves_the_same():
    env = disturb(make(PENDULUM), EVERYTHING)
    second = gym.make(env.spec)
    for one, other in zip(episode(env), episode(second), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[-1]['privileged_state'], other[-1]['privileged_state'])
        assert one[1] == other[1]


def episode(env, seed=5, steps=12):
    observation, info = env.reset(seed=seed)
    seen = [(observation, 0.0, info)]
    for index in range(steps):
        observation, reward, terminated, truncated, info = env.step(np.full(1, 0.1 * (-1) ** index, np.float32))
        seen.append((observation, reward, info))
        if terminated or truncated:
            break
    return seen


def test_noise_is_counted_in_deviations_under_random_actions():
    env = disturb(make(PENDULUM), Disturbances(observation_noise=0.5))
    deviation = signal_deviation(make(PENDULUM))
    noise = []
    for seed in range(300):
        observation, info = env.reset(seed=seed)
        noise.append(observation - info['privileged_state'])
    np.testing.assert_allclose(np.std(noise, axis=0), 0.5 * deviation, rtol=0.2)


def test_the_critic_sees_the_clean_state_and_the_actions_on_their_way():
    env = disturb(make(PENDULUM), Disturbances(observation_noise=0.5, action_delay=(2, 2)))
    _, info = env.reset(seed=0)
    clean = env.unwrapped._get_obs()
    np.testing.assert_array_equal(info['privileged_state'], [*clean, 0, 0, 2])
    for action, waiting in ((0.5, [0, 0.5]), (0.25, [0.5, 0.25]), (-1.0, [0.25, -1.0])):
        *_, info = env.step(np.full(1, action, np.float32))
        np.testing.assert_array_equal(info['privileged_state'], [*env.unwrapped._get_obs(), *waiting, 2])


def test_a_shorter_delay_leaves_the_later_places_empty():
    env = disturb(make(PENDULUM), Disturbances(action_delay=(1, 3)))
    for seed in range(20):
        env.reset(seed=seed)
        *_, info = env.step(np.full(1, 0.5, np.float32))
        waiting, delay = info['privileged_state'][4:-1], int(info['privileged_state'][-1])
        assert 1 <= delay <= 3
        assert waiting[delay - 1] == 0.5
        assert (np.delete(waiting, delay - 1) == 0).all()


def test_nothing_privileged_is_passed_on_where_it_is_not_wanted():
    settings = Disturbances(observation_noise=0.1, action_delay=(0, 1), positions_only=True, privileged=False)
    env = disturb(make(PENDULUM), settings)
    assert 'privileged_state' not in env.reset(seed=0)[1]
    assert 'privileged_state' not in env.step(np.zeros(1, np.float32))[-1]


def test_an_action_held_over_a_dropped_frame_still_arrives_one_period_late():
    settings = Disturbances(dropped_frames=0.5, max_dropped=2, action_delay=(1, 1))
    env, plain = disturb(make(PENDULUM), settings), make(PENDULUM)
    env.reset(seed=1)
    plain.reset(seed=1)
    previous, lengths = np.zeros(1, np.float32), set()
    for index in range(50):
        action = np.full(1, 0.02 * (-1) ** index, np.float32)
        observation, reward, *_, info = env.step(action)
        frames = round(info['dt'] / T)
        for frame in range(frames):
            expected = plain.step(action if frame else previous)[0]
        np.testing.assert_array_equal(observation, expected)
        assert reward == pytest.approx(frames)
        previous = action
        lengths.add(frames)
        if abs(observation[1]) > 0.1:
            break
    assert len(lengths) > 1


def test_the_greatest_jitter_keeps_periods_above_a_tenth():
    env = disturb(make(PENDULUM), Disturbances(period_jitter=1.0))
    assert env.dt_range == pytest.approx((0.1 * T, 2 * T))


@pytest.mark.parametrize(
    ('wrong', 'named'),
    [
        ({'period_jitter': 1.5}, 'period_jitter'),
        ({'period_jitter': -0.1}, 'period_jitter'),
        ({'dropped_frames': 1.0}, 'drop'),
        ({'action_delay': (1,)}, 'action_delay'),
        ({'action_delay': (2, 1)}, 'steps'),
        ({'observation_noise': -1.0}, 'deviation'),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, named):
    with pytest.raises(ConfigError, match=named):
        disturb(make(PENDULUM), Disturbances(**wrong))
