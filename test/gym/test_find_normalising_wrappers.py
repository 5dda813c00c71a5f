import functools

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import (
    FrameStackObservation,
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    TimeLimit,
    TransformObservation,
    TransformReward,
)

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import check_statistics, make, signal_deviation
from velora_ros.gym.disturbances.observation_noise import ObservationNoise
from velora_ros.gym.find_normalising_wrappers import Statistics, running_statistics, statistics_warning


class Still(gym.Env):
    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2), {}

    def step(self, action):
        return np.zeros(2), 0.0, False, False, {}


class Running:
    """Running statistics in a common form."""

    def __init__(self):
        self.mean, self.var, self.count = np.zeros(2), np.ones(2), 1e-4

    def __call__(self, value):
        return (value - self.mean) / np.sqrt(self.var)


class Slotted:
    __slots__ = ('M2', '_mean', 'n')

    def __init__(self):
        self._mean, self.M2, self.n = 0.0, 0.0, 0


class Layered(gym.ObservationWrapper):
    """A normaliser of another library, in a dictionary below a helper object."""

    class Helper:
        def __init__(self):
            self.by_key = {'obs': Running()}

    def __init__(self, env):
        super().__init__(env)
        self._helper = self.Helper()

    def observation(self, observation):
        return observation


class Welford(gym.Wrapper):
    """Keeps its statistics in itself."""

    def __init__(self, env):
        super().__init__(env)
        self._mean, self._m2, self._count = 0.0, 0.0, 0


class VecNormalize(gym.Wrapper):
    """Has a well-known name."""


class ScaledReward(gym.RewardWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.statistics = Slotted()

    def reward(self, reward):
        return reward


class Holder(Still):
    """An environment that holds another one."""

    def __init__(self):
        self.inner = NormalizeObservation(Still())


RMS = Running()


def by_global(observation):
    return RMS(observation)


def transformed(function):
    return lambda env: TransformObservation(env, function, env.observation_space)


def by_closure():
    rms = Running()
    return lambda observation: (observation - rms.mean) / rms.var


WRAPPERS = {
    'NormalizeObservation': (NormalizeObservation, ['observation']),
    'NormalizeReward': (NormalizeReward, ['reward']),
    'VecNormalize': (VecNormalize, ['observation', 'reward']),
    'closure': (transformed(by_closure()), ['observation']),
    'callable object': (transformed(Running()), ['observation']),
    'bound method': (transformed(Running().__call__), ['observation']),
    'partial': (transformed(functools.partial(lambda rms, o: o - rms.mean, Running())), ['observation']),
    'global': (transformed(by_global), ['observation']),
    'reward closure': (lambda env: TransformReward(env, lambda r, s=Slotted(): r / (1 + s.n)), ['reward']),  # noqa: B008
    'nested': (Layered, ['observation']),
    'in itself': (Welford, ['observation']),
    'slots': (ScaledReward, ['reward']),
    'inside': (lambda env: Holder(), ['observation']),
}


@pytest.mark.parametrize('kind', WRAPPERS)
def test_running_statistics_are_found_whoever_keeps_them(kind):
    wrap, of = WRAPPERS[kind]
    env = RecordEpisodeStatistics(TimeLimit(wrap(Still()), 10))
    assert [one.of for one in running_statistics(env)] == of
    with pytest.raises(UnsupportedEnvironmentError, match='keeps running statistics of the') as raised:
        check_statistics(env)
    assert ('built-in normaliser' in str(raised.value)) == (of[0] == 'observation')
    assert ('reward_scale' in str(raised.value)) == (of[0] == 'reward')


def test_the_wrapper_of_a_registered_id_is_named():
    gym.register('Wrapped-v0', lambda: NormalizeReward(NormalizeObservation(gym.make('InvertedPendulum-v5'))))
    try:
        env = make('Wrapped-v0')
        assert running_statistics(env) == [
            Statistics('NormalizeReward', 'reward'), Statistics('NormalizeObservation', 'observation'),
        ]  # fmt: skip
        assert 'NormalizeObservation keeps running statistics' in statistics_warning(env)
    finally:
        gym.registry.pop('Wrapped-v0')


class Logs(gym.Wrapper):
    carries_statistics = False

    def __init__(self, env):
        super().__init__(env)
        self.returns_seen = Running()


class Curriculum(Still):
    def __init__(self):
        self.successes = Running()


@pytest.mark.parametrize(
    'env',
    [
        Still,
        lambda: RecordEpisodeStatistics(Still()),
        lambda: FrameStackObservation(Still(), 3),
        lambda: TransformObservation(Still(), lambda o: (o - o.mean()) / 2, Still.observation_space),
        lambda: ObservationNoise(Still(), signal_deviation(Still())),
        lambda: Logs(Still()),
        Curriculum,
        lambda: make('Ant-v5'),
        lambda: make('InvertedPendulum-v5'),
    ],
)
def test_what_normalises_by_nothing_that_runs_is_accepted(env):
    env = env()
    check_statistics(env)
    assert statistics_warning(env) == ''


def test_rewards_alone_are_no_reason_to_distrust_a_policy():
    assert statistics_warning(NormalizeReward(Still())) == ''


class MovingAverage(gym.RewardWrapper):
    def __init__(self, env):
        super().__init__(env)
        self._mean, self._var = 0.0, 1.0

    def reward(self, reward):
        self._mean = 0.99 * self._mean + 0.01 * reward
        self._var += 0.01 * ((reward - self._mean) ** 2 - self._var)
        return (reward - self._mean) / self._var


class RangeSoFar(gym.ObservationWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.low, self.high = np.zeros(2), np.ones(2)

    def observation(self, observation):
        self.low, self.high = np.minimum(self.low, observation), np.maximum(self.high, observation)
        return (observation - self.low) / (self.high - self.low)


class InDictionary(gym.ObservationWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.kept = {'mean': np.zeros(2), 'std': np.ones(2), 'n': 0, 7: 'other'}

    def observation(self, observation):
        self.kept['n'] += 1
        return (observation - self.kept['mean']) / self.kept['std']


class Constants(gym.ObservationWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.mean, self.std, self.low, self.high = 1.0, 2.0, -1.0, 1.0

    def observation(self, observation):
        return (observation - self.mean) / self.std


class WithinAnEpisode(RangeSoFar):
    def reset(self, **options):
        self.low, self.high = np.zeros(2), np.ones(2)
        return super().reset(**options)


@pytest.mark.parametrize(
    ('kind', 'of'), [(MovingAverage, 'reward'), (RangeSoFar, 'observation'), (InDictionary, 'observation')]
)
def test_transformations_that_follow_what_they_see_are_found(kind, of):
    assert running_statistics(TimeLimit(kind(Still()), 5)) == [Statistics(kind.__name__, of)]


@pytest.mark.parametrize('kind', [Constants, WithinAnEpisode])
def test_constants_and_what_begins_anew_with_each_episode_are_no_running_statistics(kind):
    assert running_statistics(kind(Still())) == []
