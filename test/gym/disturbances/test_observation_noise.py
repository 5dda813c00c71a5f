import numpy as np
import pytest
from rollouts import rollout

from velora_ros.errors import ConfigError
from velora_ros.gym import ObservationNoise, make
from velora_ros.gym.disturbances.observation_noise import Bias, Noise
from velora_ros.gym.disturbances.random_generators import StreamGenerators

PENDULUM = 'InvertedPendulum-v5'


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


def streams(n, first_seed=0, name='noise'):
    made = StreamGenerators(name, n)
    made.reset(range(first_seed, first_seed + n))
    return made


def test_noise_has_its_deviation_and_keeps_its_bounds():
    noise = Noise([0.5, 5.0], [-1.0, -1.0], [1.0, 1.0], streams(2))
    seen = np.array([noise.add(np.zeros((2, 2))) for _ in range(2000)])
    assert np.abs(seen).max() <= 1.0
    for stream in range(2):
        assert 0.4 < np.std(seen[:, stream, 0]) < 0.5 < np.std(seen[:, stream, 1])


def test_a_bias_stays_through_an_episode_and_is_drawn_at_resets():
    bias = Bias([0.5, 0.0], [-np.inf, -np.inf], [np.inf, np.inf], streams(3))
    true = np.ones((3, 2))
    np.testing.assert_array_equal(bias.add(true), true)
    bias.reset()
    first = bias.add(true)
    np.testing.assert_array_equal(bias.add(true), first)
    assert (first[:, 1] == 1).all() and len(set(first[:, 0])) == 3
    bias.reset(np.array([False, True, False]))
    assert (bias.add(true)[:, 0] == first[:, 0]).tolist() == [True, False, True]


def test_a_bias_has_its_deviation_and_observations_keep_their_bounds():
    bias = Bias([2.0, 2.0], [-9.0, 0.0], [9.0, 0.5], streams(2000))
    bias.reset()
    seen = bias.add(np.zeros((2000, 2)))
    assert np.std(seen[:, 0]) == pytest.approx(2.0, rel=0.1)
    assert (seen[:, 1].min(), seen[:, 1].max()) == (0.0, 0.5)


def test_streams_that_are_not_read_keep_their_observations_and_draw_nothing():
    one, other = (Noise([1.0], [-9.0], [9.0], streams(2)) for _ in range(2))
    np.testing.assert_array_equal(one.add(np.zeros((2, 1)), np.array([True, False]))[1], [0.0])
    seen, expected = one.add(np.zeros((2, 1))), [other.add(np.zeros((2, 1))) for _ in range(2)]
    np.testing.assert_array_equal(seen, [expected[1][0], expected[0][1]])
