import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.disturbances.disturbance_settings import Disturbances, FaultSettings

NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
TRUE = np.array([[0.1, -0.2, 0.3, -0.4]])
N = len(NAMES)
T, PHYSICS_STEP = 0.04, 0.002


def stack(*seeds, deviation=1.0, bound=np.inf, n_actions=0, **settings):
    made = DisturbanceStack(NAMES, np.full(N, -bound), np.full(N, bound), seeds=seeds or (0,), n_actions=n_actions)
    made.deviation = np.full(N, deviation)
    made.settings = Disturbances(**settings)
    return made


def faults(seed=0, deviation=1.0, **settings):
    """The stack of sim_node, whose settings are in seconds."""
    made = stack(seed, deviation=deviation)
    made.settings = FaultSettings(**settings).disturbances(T)
    return made


def readings(made, count=50):
    return np.array([made.read(TRUE)[0] for _ in range(count)])


def test_without_faults_the_reading_is_the_truth_itself():
    made = faults()
    assert made.read(TRUE) is TRUE
    assert not made.drop_frames()
    assert made.period_steps(20) == 20
    assert not any(made.counts.values())


def test_one_percent_of_noise_is_a_hundredth_of_each_signal_s_deviation():
    seen = readings(faults(deviation=2.0, noise=[0.01]), 4000)
    np.testing.assert_allclose(seen.std(axis=0), 0.02, rtol=0.1)
    np.testing.assert_allclose(seen.mean(axis=0), TRUE[0], atol=0.002)


def test_noise_may_be_of_one_signal():
    seen = readings(faults(noise=[0, 0, 0.1, 0]))
    assert (seen.std(axis=0) > 0.01).tolist() == [False, False, True, False]


def test_a_seed_gives_the_same_faults_and_another_one_others():
    everything = {
        'noise': [0.1],
        'drop_probability': 0.3,
        'jitter_s': 0.01,
        'nan': ['hinge'],
        'nan_probability': 0.3,
    }

    def run(seed):
        made = faults(seed, **everything)
        return [(made.read(TRUE)[0], made.drop_frames()[0], made.period_steps(20)[0]) for _ in range(60)]

    def flat(seen):
        return np.array([[*read, lost, steps] for read, lost, steps in seen])

    np.testing.assert_array_equal(flat(run(1)), flat(run(1)))
    for column in range(2 + N):
        assert not np.array_equal(flat(run(1))[:, column], flat(run(2))[:, column], equal_nan=True)


def test_a_fault_that_is_switched_on_leaves_the_others_as_they_were():
    alone, both = faults(noise=[0.1]), faults(noise=[0.1], nan=['hinge/velocity'], drop_probability=0.5)
    np.testing.assert_array_equal(readings(alone)[:, :3], readings(both)[:, :3])


def test_a_stuck_sensor_keeps_the_value_that_it_had_and_can_be_freed():
    made = faults(stuck=['hinge'])
    first, second = made.read(TRUE)[0], made.read(TRUE + 1)[0]
    np.testing.assert_array_equal(first, TRUE[0])
    np.testing.assert_array_equal(second, [1.1, -0.2, 1.3, -0.4])
    made.settings = Disturbances(stuck=['hinge/position'])
    np.testing.assert_array_equal(made.read(TRUE + 2)[0], [2.1, -0.2, 2.3, 1.6])
    made.settings = Disturbances()
    np.testing.assert_array_equal(made.read(TRUE), TRUE)
    made.settings = Disturbances(stuck=['hinge/position'])
    assert made.read(TRUE + 3)[0, 1] == pytest.approx(2.8)


def test_nan_comes_where_and_as_often_as_it_is_asked_for():
    seen = readings(faults(nan=['slider/velocity'], nan_probability=0.25), 1000)
    assert np.isnan(seen).any(axis=0).tolist() == [False, False, True, False]
    assert 200 < np.isnan(seen).sum() < 300
    assert np.isfinite(TRUE).all()
    assert np.isnan(readings(faults(nan=['hinge']))[:, [1, 3]]).all()


def test_states_are_lost_as_often_as_they_should():
    made = faults(drop_probability=0.1)
    lost = sum(made.drop_frames()[0] for _ in range(5000))
    assert 400 < lost < 600
    assert made.counts['drop'] == lost


@given(st.floats(0.0001, 1.0), st.integers(0, 100))
def test_periods_spread_evenly_around_the_nominal_one_and_never_vanish(jitter, seed):
    made = faults(seed, jitter_s=jitter)
    spread = math.ceil(jitter / PHYSICS_STEP - 1e-9)
    seen = [made.period_steps(20)[0] for _ in range(50)]
    assert min(seen) >= 1
    assert max(seen) <= 20 + spread


@pytest.mark.parametrize(('jitter', 'spread'), [(0.005, 5), (0.1, 39), (10.0, 39)])
def test_the_mean_period_stays(jitter, spread):
    made = faults(jitter_s=jitter)
    seen = [made.period_steps(40)[0] for _ in range(5000)]
    assert (min(seen), max(seen)) == (40 - spread, 40 + spread)
    assert np.mean(seen) == pytest.approx(40, abs=0.05 * spread)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'noise': [0.1, 0.1]}, 'noise has 2 values; it must have one, or one for each of slider/position'),
        ({'stuck': ['hinge/positon']}, r"stuck names 'hinge/positon', .* Did you mean 'hinge/position'"),
        ({'nan': ['']}, "nan names ''"),
    ],
)
def test_settings_that_do_not_fit_the_observations_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        faults(**settings)


def test_refused_settings_change_nothing():
    made = faults(stuck=['hinge'])
    made.read(TRUE)
    with pytest.raises(ConfigError):
        made.settings = Disturbances(nan=['nowhere'])
    np.testing.assert_array_equal(made.read(TRUE + 1)[0], [1.1, -0.2, 1.3, -0.4])


def test_noise_begins_when_its_unit_is_known():
    made = DisturbanceStack(NAMES, np.full(N, -np.inf), np.full(N, np.inf), seeds=[0])
    made.settings = Disturbances(observation_noise=0.5)
    values = np.zeros((1, N))
    assert made.read(values) is values
    assert made.counts['noise'] == 0
    made.deviation = np.full(N, 2.0)
    assert (made.read(values) != 0).all()
    assert made.counts['noise'] == 1


# --- many streams

EVERYTHING = {
    'period_jitter': 0.5,
    'dropped_frames': 0.3,
    'max_dropped': 2,
    'action_delay': (0, 3),
    'observation_delay': (0, 2),
    'observation_noise': 0.1,
    'observation_bias': (0.1, 0.0, 0.2, 0.0),
    'stuck': ['slider/velocity'],
    'nan': ['hinge'],
    'nan_probability': 0.3,
}


def test_n_streams_are_n_single_ones_with_the_same_seeds():
    rng, n = np.random.default_rng(1), 5
    together = stack(*range(n), n_actions=2, **EVERYTHING)
    alone = [stack(seed, n_actions=2, **EVERYTHING) for seed in range(n)]
    reset, seed = np.ones(n, dtype=bool), n
    for _ in range(40):
        true, resting, actions = rng.normal(size=(n, N)), rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
        elapsed = rng.uniform(0.5, 2.0, n)
        seeds = [int(seed + index) if index % 2 else None for index in range(n)]
        seen = together.reset(true, seeds, reset, resting=resting)
        outcome = [together.act(actions), together.period_steps(20), together.drop_frames()]
        outcome.append(together.observe(true + 1, elapsed))
        for index, one in enumerate(alone):
            row = slice(index, index + 1)
            if reset[index]:
                expected = one.reset(true[row], [seeds[index]], resting=resting[row])
                np.testing.assert_array_equal(seen[row], expected)
            single = [one.act(actions[row]), one.period_steps(20), one.drop_frames()]
            single.append(one.observe(true[row] + 1, elapsed[row]))
            for many, expected in zip(outcome, single, strict=True):
                np.testing.assert_array_equal(many[row], expected)
        reset, seed = rng.random(n) < 0.2, seed + n
    assert together.counts == sum((one.counts for one in alone), Counter())


def test_streams_that_are_not_reset_see_what_they_saw():
    made = stack(0, 1, observation_delay=(2, 2))
    first = made.reset(np.zeros((2, N)), [0, 1])
    made.observe(np.ones((2, N)), np.ones(2))
    seen = made.reset(np.full((2, N), 5.0), [2, None], np.array([True, False]))
    np.testing.assert_array_equal(seen, [np.full(N, 5.0), first[1]])


def test_a_fault_that_is_switched_on_leaves_the_others_of_all_streams_as_they_were():
    settings = {'observation_noise': 0.1, 'dropped_frames': 0.5}
    one, other = stack(1, 2, **settings), stack(1, 2, **settings, period_jitter=0.5, observation_bias=0.0)
    for _ in range(20):
        other.period_steps(20)
        np.testing.assert_array_equal(one.read(np.ones((2, N))), other.read(np.ones((2, N))))
        np.testing.assert_array_equal(one.drop_frames(), other.drop_frames())


def test_a_bias_is_drawn_at_a_reset_and_stays():
    made = stack(0, 1, observation_bias=0.5)
    first = made.reset(np.zeros((2, N)), [3, 4])
    assert (first != 0).all()
    np.testing.assert_array_equal(made.observe(np.zeros((2, N)), np.ones(2)), first)
    assert (made.reset(np.zeros((2, N)), [5, 6]) != first).all()


def test_actions_take_effect_late_behind_the_resting_one():
    made = stack(0, n_actions=1, action_delay=(2, 2))
    made.reset(np.zeros((1, N)), [0], resting=np.full((1, 1), 7.0))
    assert [made.act(np.full((1, 1), value))[0, 0] for value in (1.0, 2.0, 3.0)] == [7.0, 7.0, 1.0]


def test_a_frozen_publisher_repeats_what_it_showed_last():
    made = stack(0, 1)
    made.reset(np.zeros((2, N)), [0, 1])
    made.settings = Disturbances(frozen=True)
    assert (made.observe(np.ones((2, N)), np.ones(2)) == 0).all()
    made.settings = Disturbances()
    assert (made.observe(np.ones((2, N)), np.ones(2)) == 1).all()
