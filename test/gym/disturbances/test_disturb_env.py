import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import (
    ActionDelay,
    Disturbances,
    FaultSettings,
    ObservationNoise,
    PartialObservation,
    TimingJitter,
    add_faults,
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
        ({'action_delay': (2, 1)}, 'action_delay'),
        ({'observation_noise': -1.0}, 'observation_noise'),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, named):
    with pytest.raises(ConfigError, match=named):
        disturb(make(PENDULUM), Disturbances(**wrong))


# --- faults as sim_node's, in seconds


def rollout(env, steps=15, seed=3):
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    for index in range(steps):
        observation, _, terminated, *_ = env.step(np.full(1, 0.1 * (-1) ** index, np.float32))
        seen.append(observation)
        if terminated:
            break
    return np.array(seen)


def both(**settings):
    return rollout(make(PENDULUM)), rollout(add_faults(make(PENDULUM), FaultSettings(**settings)))


def test_without_faults_nothing_changes():
    clean, same = both()
    np.testing.assert_array_equal(clean, same)


def test_names_and_period_stay():
    env = add_faults(make(PENDULUM), FaultSettings(noise=[0.1], jitter_s=0.01, command_delay_s=0.04))
    assert spec_from_env(env) == spec_from_env(make(PENDULUM))


def test_an_observation_is_late_by_its_delay():
    clean, late = both(observation_delay_s=2 * T)
    np.testing.assert_array_equal(late[3:], clean[1:-2])
    np.testing.assert_array_equal(late[:3], clean[[0, 0, 0]])


def test_a_command_is_late_by_whole_periods():
    observation = rollout(add_faults(make(PENDULUM), FaultSettings(command_delay_s=T)), 2)
    expected = make(PENDULUM)
    expected.reset(seed=3)
    np.testing.assert_array_equal(observation[1], expected.step(np.zeros(1, np.float32))[0])


def test_stuck_frozen_and_nan_readings():
    clean, stuck = both(stuck=['hinge/position'])
    assert (stuck[:, 1] == clean[0, 1]).all()
    np.testing.assert_array_equal(stuck[:, [0, 2, 3]], clean[:, [0, 2, 3]])
    _, frozen = both(frozen=True)
    assert (frozen == frozen[0]).all()
    _, broken = both(nan=['hinge/velocity'])
    assert np.isnan(broken[:, 3]).all() and np.isfinite(broken[:, :3]).all()


def test_lost_states_and_uneven_periods_show_in_the_measured_time():
    env = add_faults(make(PENDULUM), FaultSettings(drop_probability=0.5, jitter_s=0.01))
    env.reset(seed=0)
    times = [env.step(np.zeros(1, np.float32))[-1]['dt'] for _ in range(8)]
    assert max(times) > 1.5 * T
    assert len(set(np.round(np.array(times) / T, 3) % 1)) > 2


def test_one_seed_gives_one_run_and_noise_is_that_of_the_settings():
    settings = FaultSettings(noise=[0.5], drop_probability=0.3, nan=['hinge'], nan_probability=0.2)
    one, again = (rollout(add_faults(make(PENDULUM), settings), seed=5) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    clean, noisy = both(noise=[0.0, 0.5, 0.0, 0.0])
    assert (noisy != clean).any(axis=0).tolist() == [False, True, False, False]


def test_a_second_environment_can_be_made_from_the_spec():
    env = add_faults(make(PENDULUM), FaultSettings(noise=[0.5]))
    np.testing.assert_array_equal(rollout(gym.make(env.spec)), rollout(env))


def test_what_is_not_observed_cannot_break():
    with pytest.raises(ConfigError, match="stuck names 'elbow'"):
        add_faults(make(PENDULUM), FaultSettings(stuck=['elbow']))


# --- readings that are biased, late or broken


def test_an_observation_delay_is_drawn_in_each_episode():
    env, clean = disturb(make(PENDULUM), Disturbances(observation_delay=(0, 2))), make(PENDULUM)
    delays = set()
    for seed in range(12):
        expected, seen = rollout(clean, 4, seed), rollout(env, 4, seed)
        [delay] = [late for late in range(3) if (seen[2:] == expected[2 - late : len(expected) - late]).all()]
        delays.add(delay)
    assert delays == {0, 1, 2}


def test_a_bias_is_an_offset_that_stays_and_the_critic_sees_the_truth():
    env = disturb(make(PENDULUM), Disturbances(observation_bias=0.5))
    offsets = set()
    for seed in range(3):
        observation, info = env.reset(seed=seed)
        offset = observation - info['privileged_state']
        for _ in range(3):
            observation, *_, info = env.step(np.zeros(1, np.float32))
            np.testing.assert_allclose(observation - info['privileged_state'], offset)
        offsets.add(round(float(offset[0]), 9))
    assert len(offsets) == 3


def test_noise_of_each_observation_needs_as_many_numbers():
    with pytest.raises(ConfigError, match='the noise has 2 values; it must have one, or one for each of slider/pos'):
        disturb(make(PENDULUM), Disturbances(observation_noise=(0.1, 0.2)))
