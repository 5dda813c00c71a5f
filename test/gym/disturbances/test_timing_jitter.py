import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit
from hypothesis import given, settings
from hypothesis import strategies as st
from rollouts import balance, rollout

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.gym import TimingJitter, make, spec_from_env

PENDULUM = 'InvertedPendulum-v5'
T = 0.04


def times(seen):
    return np.array([info['dt'] for *_, info in seen[1:]])


def test_without_jitter_and_drops_only_dt_is_added():
    env = TimingJitter(make(PENDULUM), period_range=(1, 1), drop_probability=0)
    plain = rollout(make(PENDULUM), 0, 200, balance)
    timed = rollout(env, 0, 200, balance)
    assert len(plain) == len(timed) == 201
    for (o, r, *_), (o2, r2, *_, info) in zip(plain, timed, strict=True):
        np.testing.assert_array_equal(o, o2)
        assert (r, info['dt']) == (r2, T)


@settings(max_examples=25, deadline=None)
@given(
    ends=st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)).map(sorted),
    drop=st.sampled_from([0, 0.3]),
    env_id=st.sampled_from([PENDULUM, 'Reacher-v5', 'Hopper-v5']),
)
def test_periods_stay_in_their_range_and_the_simulation_agrees(ends, drop, env_id):
    env = TimingJitter(make(env_id), period_range=tuple(ends), drop_probability=drop, max_dropped=2)
    period = spec_from_env(env).control_period
    low, high = env.dt_range
    assert low <= period <= high
    data = env.unwrapped.data
    env.reset(seed=3)
    before = data.time
    for _ in range(15):
        *_, terminated, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))
        assert info['dt'] == pytest.approx(data.time - before)
        assert low - 1e-12 <= info['dt'] <= high + 1e-12
        assert period == env.unwrapped.dt
        before = data.time
        if terminated or truncated:
            break
    longest = max(ends[1] + 0.1, 1) * period * (3 if drop else 1)  # a range without a whole step is rounded up
    assert min(ends[0], 1) * period <= low + 1e-9
    assert high <= longest + 1e-9


@pytest.mark.parametrize('env_id', [PENDULUM, 'InvertedDoublePendulum-v5', 'Reacher-v5', 'Swimmer-v5', 'Hopper-v5'])
def test_jitter_comes_in_steps_of_a_tenth_of_the_period_or_less(env_id):
    env = make(env_id)
    period = env.unwrapped.dt
    jittered = TimingJitter(env)
    assert env.unwrapped.model.opt.timestep <= 0.1 * period + 1e-12
    assert env.unwrapped.dt == pytest.approx(period, rel=1e-12)
    assert TimingJitter(jittered).unwrapped.frame_skip == env.unwrapped.frame_skip


def test_periods_vary_evenly_over_their_range():
    seen = times(rollout(TimingJitter(make(PENDULUM), drop_probability=0), 0, 600, balance))
    shares = np.unique(np.round(seen / T, 6))
    np.testing.assert_allclose(shares, np.arange(0.5, 1.51, 0.1))
    assert abs(seen.mean() / T - 1) < 0.05


def test_a_dropped_frame_holds_the_action_and_adds_time_and_reward_up():
    env = TimingJitter(make(PENDULUM), period_range=(1, 1), drop_probability=0.5, max_dropped=2)
    plain = make(PENDULUM)
    env.reset(seed=1)
    plain.reset(seed=1)
    lengths = set()
    for index in range(40):
        action = np.full(1, 0.05 * (-1) ** index, np.float32)
        observation, reward, *_, info = env.step(action)
        frames = round(info['dt'] / T)
        assert reward == pytest.approx(frames)
        for _ in range(frames):
            expected = plain.step(action)[0]
        np.testing.assert_array_equal(observation, expected)
        lengths.add(frames)
        if abs(observation[1]) > 0.05:
            env.reset(seed=index)
            plain.reset(seed=index)
    assert lengths == {1, 2, 3}


def test_the_longest_return_still_counts_nominal_periods():
    env = TimingJitter(make(PENDULUM), drop_probability=0.1)
    seen = rollout(env, 2, 3000, balance)
    assert seen[-1][3] and not seen[-1][2]
    assert sum(reward for _, reward, *_ in seen) == pytest.approx(1000)
    assert times(seen).sum() == pytest.approx(1000 * T)
    assert len(seen) != 1001


def test_a_fall_ends_the_held_action_at_once():
    env = TimingJitter(make(PENDULUM), drop_probability=0.9, max_dropped=50)
    seen = rollout(env, 0, 100, lambda _: np.full(1, 3, np.float32))
    assert seen[-1][2]
    assert times(seen)[-1] < 51 * T
    assert times(seen).sum() < 40 * T


def test_frames_can_be_dropped_without_mujoco():
    env = TimingJitter(make('Pendulum-v1'), period_range=(1, 1), drop_probability=0.5)
    assert set(np.round(times(rollout(env, 0, 60)) / 0.05)) == {1, 2, 3, 4}
    with pytest.raises(UnsupportedEnvironmentError, match=r'PendulumEnv has no physics steps.*period_range=\(1, 1\)'):
        TimingJitter(make('Pendulum-v1'))


@pytest.mark.parametrize(
    'bad',
    [
        {'period_range': (0.05, 1)},
        {'period_range': (1, 2.5)},
        {'period_range': (1.2, 0.8)},
        {'period_range': (np.nan, 1)},
        {'drop_probability': 1.0},
        {'drop_probability': -0.1},
        {'max_dropped': -1},
        {'max_dropped': 1.5},
    ],
)
def test_a_senseless_timing_is_refused_and_the_environment_left_alone(bad):
    env = make(PENDULUM)
    with pytest.raises(ConfigError, match=next(iter(bad))):
        TimingJitter(env, **bad)
    assert env.unwrapped.frame_skip == 2


def test_a_time_limit_s_own_counter_is_left_alone_and_its_wrappers_are_where_they_were():
    inside = make('InvertedPendulum-v5', max_episode_steps=20)
    layers = [inside, *_layers(inside)]
    env = TimingJitter(RecordEpisodeStatistics(inside), drop_probability=0)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.zeros(1, np.float32))
    assert [inside, *_layers(inside)] == layers
    counters = [layer._elapsed_steps for layer in layers if isinstance(layer, TimeLimit)]
    assert counters == [0]


def _layers(env):
    return [env.env, *_layers(env.env)] if isinstance(env, gym.Wrapper) else []
