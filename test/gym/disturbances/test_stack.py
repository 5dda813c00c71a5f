import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.gym.disturbances.stack import DelayLine, Faults, FaultSettings, Losses, Noise

NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
TRUE = np.array([0.1, -0.2, 0.3, -0.4])
N = len(NAMES)


def faults(seed=0, deviation=1.0, bound=np.inf, **settings):
    made = Faults(NAMES, np.full(N, deviation), np.full(N, -bound), np.full(N, bound), seed)
    made.settings = FaultSettings(**settings)
    return made


def readings(made, count=50):
    return np.array([made.read(TRUE) for _ in range(count)])


# --- delay


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=30))
def test_whatever_is_sent_arrives_once_in_order_and_never_early(sent):
    line, arrived = DelayLine(), []
    sent = sorted(sent)
    for number, (time, delay) in enumerate(sent):
        line.put((number, time + delay), time + delay)
        for moment in (time, time + 0.1):
            got = line.take(moment)
            assert all(due <= moment for _, due in got)
            arrived += got
    assert len(line) == len(list(line)) == len(sent) - len(arrived)
    arrived += line.take(math.inf)
    assert [number for number, _ in arrived] == list(range(len(sent)))
    assert line.next_due == math.inf


def test_what_is_on_its_way_can_be_lost():
    line = DelayLine()
    line.put('state', 1.0)
    line.clear()
    assert line.take(2.0) == []


# --- losses, noise


@given(st.floats(0, 1), st.integers(0, 4), st.integers(0, 1000))
def test_never_more_are_lost_in_a_row_than_allowed(probability, most, seed):
    losses, rng = Losses(probability, most), np.random.default_rng(seed)
    row = longest = 0
    for _ in range(60):
        row = row + 1 if losses.next_is_lost(rng) else 0
        longest = max(longest, row)
    assert longest <= most


def test_without_a_limit_everything_can_be_lost():
    losses, rng = Losses(1.0), np.random.default_rng(0)
    assert all(losses.next_is_lost(rng) for _ in range(100))


def test_noise_has_its_deviation_and_keeps_its_bounds():
    noise, rng = Noise([0.5, 5.0], [-1.0, -1.0], [1.0, 1.0]), np.random.default_rng(0)
    seen = np.array([noise.add(np.zeros(2), rng) for _ in range(2000)])
    assert np.abs(seen).max() <= 1.0
    assert 0.4 < np.std(seen[:, 0]) < 0.5 < np.std(seen[:, 1])


# --- all of them


def test_without_faults_the_reading_is_the_truth_itself():
    made = faults()
    assert made.read(TRUE) is TRUE
    assert not made.loses_state()
    assert made.period_steps(20, 0.002) == 20
    assert not any(made.counts.values())


def test_one_percent_of_noise_is_a_hundredth_of_each_signal_s_deviation():
    seen = readings(faults(deviation=2.0, noise=[0.01]), 4000)
    np.testing.assert_allclose(seen.std(axis=0), 0.02, rtol=0.1)
    np.testing.assert_allclose(seen.mean(axis=0), TRUE, atol=0.002)


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
        return [(made.read(TRUE), made.loses_state(), made.period_steps(20, 0.002)) for _ in range(60)]

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
    first, second = made.read(TRUE), made.read(TRUE + 1)
    np.testing.assert_array_equal(first, TRUE)
    np.testing.assert_array_equal(second, [1.1, -0.2, 1.3, -0.4])
    made.settings = FaultSettings(stuck=['hinge/position'])
    np.testing.assert_array_equal(made.read(TRUE + 2), [2.1, -0.2, 2.3, 1.6])
    made.settings = FaultSettings()
    np.testing.assert_array_equal(made.read(TRUE), TRUE)
    made.settings = FaultSettings(stuck=['hinge/position'])
    assert made.read(TRUE + 3)[1] == pytest.approx(2.8)


def test_nan_comes_where_and_as_often_as_it_is_asked_for():
    seen = readings(faults(nan=['slider/velocity'], nan_probability=0.25), 1000)
    assert np.isnan(seen).any(axis=0).tolist() == [False, False, True, False]
    assert 200 < np.isnan(seen).sum() < 300
    assert np.isfinite(TRUE).all()
    assert np.isnan(readings(faults(nan=['hinge']))[:, [1, 3]]).all()


def test_states_are_lost_as_often_as_they_should():
    made = faults(drop_probability=0.1)
    lost = sum(made.loses_state() for _ in range(5000))
    assert 400 < lost < 600
    assert made.counts['drop'] == lost


@given(st.floats(0.0001, 1.0), st.integers(0, 100))
def test_periods_spread_evenly_around_the_nominal_one_and_never_vanish(jitter, seed):
    made = faults(seed, jitter_s=jitter)
    spread = math.ceil(jitter / 0.002 - 1e-9)
    seen = [made.period_steps(20, 0.002) for _ in range(50)]
    assert min(seen) >= 1
    assert max(seen) <= 20 + spread


@pytest.mark.parametrize(('jitter', 'spread'), [(0.005, 5), (0.1, 39), (10.0, 39)])
def test_the_mean_period_stays(jitter, spread):
    made = faults(jitter_s=jitter)
    seen = [made.period_steps(40, 0.001) for _ in range(5000)]
    assert (min(seen), max(seen)) == (40 - spread, 40 + spread)
    assert np.mean(seen) == pytest.approx(40, abs=0.05 * spread)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'drop_probability': 1.1}, 'drop_probability is 1.1; it must be from 0 to 1'),
        ({'drop_probability': math.nan}, 'drop_probability is nan'),
        ({'nan_probability': -0.1}, 'nan_probability is -0.1'),
        ({'jitter_s': -1.0}, 'jitter_s is -1.0 s; it must be a time'),
        ({'observation_delay_s': math.inf}, 'observation_delay_s is inf s'),
        ({'command_delay_s': -0.1}, 'command_delay_s is -0.1 s'),
        ({'noise': [-0.1]}, 'noise is .* not negative'),
        ({'noise': [0.1, 0.1]}, 'noise has 2 values; it must have one, or one for each of slider/position'),
        ({'stuck': ['hinge/positon']}, "stuck names 'hinge/positon'. Did you mean 'hinge/position'"),
        ({'nan': ['']}, "nan names ''"),
    ],
)
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        faults(**settings)


def test_refused_settings_change_nothing():
    made = faults(stuck=['hinge'])
    made.read(TRUE)
    with pytest.raises(ConfigError):
        made.settings = FaultSettings(nan=['nowhere'])
    np.testing.assert_array_equal(made.read(TRUE + 1), [1.1, -0.2, 1.3, -0.4])


def test_settings_tell_what_is_not_as_usual():
    assert str(FaultSettings()) == 'none'
    assert str(FaultSettings(noise=[0.01], stuck=['a', 'b'])) == 'noise 0.01, stuck a b'
    assert FaultSettings(noise=[]) == FaultSettings()


def test_noise_begins_when_its_unit_is_known():
    made = Faults(NAMES, None, np.full(N, -np.inf), np.full(N, np.inf), 0)
    made.settings = FaultSettings(noise=[0.5])
    values = np.zeros(N)
    assert made.read(values) is values
    assert made.counts['noise'] == 0
    made.deviation = np.full(N, 2.0)
    assert (made.read(values) != 0).all()
    assert made.counts['noise'] == 1
