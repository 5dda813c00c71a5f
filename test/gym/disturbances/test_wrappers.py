import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.gym import (
    ActionDelay,
    ObservationNoise,
    PartialObservation,
    TimingJitter,
    make,
    signal_deviation,
    spec_from_env,
)
from velora_ros.gym.disturbances.observation_noise import affordable_steps

PENDULUM = 'InvertedPendulum-v5'
T = 0.04

WRAPPERS = {
    'jitter': TimingJitter,
    'noise': lambda env: ObservationNoise(env, 0.01),
    'delay': lambda env: ActionDelay(env, (0, 3)),
    'partial': PartialObservation,
    'all': lambda env: ActionDelay(ObservationNoise(PartialObservation(TimingJitter(env)), 0.01), (1, 2)),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request):
    return WRAPPERS[request.param]


def balance(observation):
    """Keeps the pendulum up for long enough to see time pass."""
    x, angle, velocity, rate = observation
    return np.clip([0.3 * x + 12 * angle + 0.6 * velocity + 2 * rate], -3, 3).astype(np.float32)


def rollout(env, seed, steps=30, policy=None):
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    seen = [(observation, 0.0, False, False, info)]
    for _ in range(steps):
        action = policy(observation) if policy else rng.uniform(-0.5, 0.5, env.action_space.shape).astype(np.float32)
        seen.append(env.step(action))
        observation = seen[-1][0]
        if seen[-1][2] or seen[-1][3]:
            break
    return seen


def flat(seen):
    return [np.concatenate([np.ravel(o), [r, t, u, i.get('dt', T)]]) for o, r, t, u, i in seen]


def test_one_seed_gives_one_run(wrap):
    env = wrap(make(PENDULUM))
    one, other, again = (flat(rollout(env, seed)) for seed in (5, 6, 5))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one[: len(other)], other[: len(one)])
    np.testing.assert_array_equal(flat(rollout(wrap(make(PENDULUM)), 5)), one)


def test_a_reset_without_a_seed_goes_on_in_the_stream(wrap):
    def two_episodes():
        env = wrap(make(PENDULUM))
        rollout(env, 5, 10)
        first, _ = env.reset()
        return [first, *(env.step(np.zeros(1, np.float32))[0] for _ in range(5))]

    np.testing.assert_array_equal(two_episodes(), two_episodes())


def test_gymnasium_finds_no_fault(wrap):
    env = wrap(make(PENDULUM))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='.*different from the unwrapped version.*')
        warnings.filterwarnings('ignore', message='.*minimum value is -infinity.*')
        warnings.filterwarnings('ignore', message='.*maximum value is infinity.*')
        warnings.filterwarnings('ignore', message='.*symmetric and normalized space.*')
        gymnasium_check(env, skip_render_check=True)


def test_a_second_environment_can_be_made_from_the_spec(wrap):
    env = wrap(make(PENDULUM))
    second = gym.make(env.spec)
    assert type(second) is type(env)
    np.testing.assert_array_equal(flat(rollout(second, 5)), flat(rollout(env, 5)))


# --- time


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


# --- partial observation


def test_the_policy_sees_the_kept_entries_and_the_critic_all():
    env = PartialObservation(make(PENDULUM), ['hinge/position', 0])
    for observation, *_, info in rollout(env, 0):
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


# --- noise and delay


def test_noise_has_the_deviation_that_was_asked_for():
    deviation = np.array([0.0, 0.1, 1.0, 2.0])
    noise = []
    for seed in range(300):
        clean, _ = make_once().reset(seed=seed)
        noisy, _ = noisy_once(deviation).reset(seed=seed)
        noise.append(noisy - clean)
    np.testing.assert_allclose(np.std(noise, axis=0), deviation, rtol=0.15)
    assert np.abs(np.mean(noise, axis=0)).max() < 0.4


def make_once(cache={}):  # noqa: B006 - made once for 300 resets
    return cache.setdefault('env', make(PENDULUM))


def noisy_once(deviation, cache={}):  # noqa: B006
    return cache.setdefault('env', ObservationNoise(make(PENDULUM), deviation))


def test_noise_stays_within_the_observation_space():
    env = ObservationNoise(make('Pendulum-v1'), 5.0)
    assert all(env.observation_space.contains(observation) for observation, *_ in rollout(env, 0, 50))


def test_noise_does_not_touch_the_simulation():
    clean, noisy = make(PENDULUM), ObservationNoise(make(PENDULUM), 0.5)
    for one, other in zip(rollout(clean, 0), rollout(noisy, 0), strict=True):
        assert one[1:4] == other[1:4]
    np.testing.assert_array_equal(clean.unwrapped.data.qpos, noisy.unwrapped.data.qpos)


@pytest.mark.parametrize('deviation', [-1, np.nan, [1, 2], np.inf])
def test_a_senseless_deviation_is_refused(deviation):
    with pytest.raises(ConfigError, match='deviation'):
        ObservationNoise(make(PENDULUM), deviation)


def test_signal_deviation_is_that_of_a_random_policy():
    deviation = signal_deviation(make(PENDULUM), steps=500)
    assert deviation.shape == (4,)
    assert (deviation > 0).all()
    np.testing.assert_array_equal(deviation, signal_deviation(make(PENDULUM), steps=500))


def test_signal_deviation_is_quiet_and_finite_where_random_commands_make_the_simulation_diverge(tmp_path, capfd):
    model = tmp_path / 'wild.xml'
    model.write_text(
        '<mujoco><worldbody><body><joint name="arm" axis="0 1 0"/><geom size=".1" pos=".3 0 0"/></body></worldbody>'
        '<actuator><motor joint="arm" ctrlrange="-1e12 1e12"/></actuator></mujoco>'
    )
    deviation = signal_deviation(make(str(model)), steps=50)
    assert np.isfinite(deviation).all()
    assert capfd.readouterr() == ('', '')


def test_a_large_simulation_is_given_fewer_steps(tmp_path):
    link = '<body pos="{0} 0 0"><joint name="j{0}" axis="0 1 0"/><geom size=".1" pos=".3 0 0"/></body>'
    bodies = ''.join(link.format(i) for i in range(300))
    model = tmp_path / 'large.xml'
    model.write_text(
        f'<mujoco><worldbody>{bodies}</worldbody><actuator><motor joint="j0" ctrlrange="-1 1"/></actuator></mujoco>'
    )
    assert affordable_steps(make(PENDULUM)) == 1000
    assert affordable_steps(make(str(model))) == 50


def test_signal_deviation_stands_environments_that_write_into_the_same_array():
    class SameArray(gym.ObservationWrapper):
        seen = np.zeros(4)

        def observation(self, observation):
            self.seen[:] = observation
            return self.seen

    deviation = signal_deviation(SameArray(make(PENDULUM)), steps=500)
    np.testing.assert_array_equal(deviation, signal_deviation(make(PENDULUM), steps=500))


class Echo(gym.Env):
    """Observes the action that arrived."""

    observation_space = gym.spaces.Box(-9, 9, (1,), np.float64)
    action_space = gym.spaces.Box(np.float32([0.5]), np.float32([9]))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1), {}

    def step(self, action):
        return np.array(action, dtype=np.float64), 0.0, False, False, {}


@pytest.mark.parametrize('delay', [0, 1, 3])
def test_actions_arrive_that_many_periods_late(delay):
    env = ActionDelay(Echo(), delay)
    for _ in range(2):
        env.reset()
        action = np.zeros(1, np.float32)
        arrived = []
        for value in range(1, 7):
            action[0] = value  # one array, reused: the queue must hold copies
            arrived.append(env.step(action)[0][0])
        assert arrived == [0.5] * delay + list(range(1, 7 - delay))


def test_a_delay_range_is_drawn_at_each_reset():
    env = ActionDelay(Echo(), (0, 3))
    delays = set()
    for seed in range(40):
        env.reset(seed=seed)
        arrived = [env.step(np.full(1, 2, np.float32))[0][0] for _ in range(5)]
        delays.add(arrived.count(0.5))
    assert delays == {0, 1, 2, 3}


@pytest.mark.parametrize('steps', [-1, 1.5, (2, 1), (0, 1.5)])
def test_a_senseless_delay_is_refused(steps):
    with pytest.raises(ConfigError, match='steps'):
        ActionDelay(Echo(), steps)


def test_the_critic_can_be_left_in_the_dark_as_well():
    env = PartialObservation(gym.make('InvertedPendulum-v5'), privileged=False)
    _, info = env.reset(seed=0)
    assert 'privileged_state' not in info
    assert 'privileged_state' not in env.step(env.action_space.sample())[-1]
    env.close()


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
