import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from velora_ros.pictures.read_runs import Curve
from velora_ros.pictures.seed_statistics import STATISTICS, band, interquartile_mean, interval

RETURNS = arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(-1e3, 1e3))


def curve(returns, every=500):
    steps = every * np.arange(1, len(returns) + 1)
    return Curve(steps, steps / 100, np.asarray(returns, dtype=float))


@given(RETURNS)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(values):
    rows = np.sort(values, axis=0)
    cut = len(rows) // 4
    np.testing.assert_allclose(interquartile_mean(values), rows[cut : len(rows) - cut].mean(axis=0))
    shuffled = values[::-1]
    np.testing.assert_allclose(interquartile_mean(shuffled), interquartile_mean(values))


@pytest.mark.parametrize('statistic', STATISTICS.values(), ids=STATISTICS)
def test_an_interval_lies_within_the_values_and_is_the_same_each_time(statistic):
    values = np.random.default_rng(1).normal(size=(10, 3))
    low, high = interval(values, statistic)
    assert (values.min(axis=0) <= low).all() and (low < high).all() and (high <= values.max(axis=0)).all()
    np.testing.assert_array_equal(low, interval(values, statistic)[0])


def test_equal_runs_have_an_interval_of_zero_width():
    one = band([curve([1, 2, 3])] * 4, 'steps', interquartile_mean)
    np.testing.assert_array_equal(one.x, [500, 1000, 1500])
    for values in (one.centre, one.low, one.high):
        np.testing.assert_allclose(values, [1, 2, 3])


def test_a_band_ends_where_the_first_run_ends():
    assert list(band([curve([1, 2, 3]), curve([3, 4])], 'steps', interquartile_mean).x) == [500, 1000]
    apart = [curve([1]), Curve(*np.array([[9e3], [90.0], [1.0]]))]
    assert len(band(apart, 'steps', interquartile_mean).x) == 0


def test_runs_evaluated_at_different_times_are_interpolated():
    other = Curve(np.array([500.0, 1500.0]), np.array([5.0, 15.0]), np.array([10.0, 30.0]))
    both = band([curve([10, 20, 30]), other], 'time', interquartile_mean)
    np.testing.assert_allclose(both.x, [5, 10, 15])
    np.testing.assert_allclose(both.centre, [10, 20, 30])
