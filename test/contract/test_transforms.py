"""Transforms of one robot's values and of many simulations' at once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from velora_ros.contract.transforms import Transform, Unwrap, fill_nonfinite, fill_ranges

INF, NAN = math.inf, math.nan
MANY = arrays(np.float64, (5, 3), elements=st.floats(-1e6, 1e6) | st.sampled_from([NAN, INF, -INF]))


def test_values_that_are_not_finite_are_filled_in_a_copy():
    values = np.array([[NAN, 1.0], [2.0, -INF]])
    assert fill_nonfinite(values, [7.0, 8.0]).tolist() == [[7.0, 1.0], [2.0, 8.0]]
    assert fill_nonfinite(values[0], 9.0).tolist() == [9.0, 1.0]
    assert np.isnan(values[0, 0])


def test_infinite_ranges_have_the_meaning_that_each_sensor_gives_them():
    ranges = np.array([[INF, 1.0, -INF], [INF, NAN, 2.0]])
    filled = fill_ranges(ranges, [[0.1], [0.2]], [[4.0], [0.0]])
    assert filled[0].tolist() == [4.0, 1.0, 0.1]
    assert filled[1].tolist() == pytest.approx([INF, NAN, 2.0], nan_ok=True), 'a reach of 0 is unknown'


@given(MANY)
def test_many_observations_are_transformed_as_each_one_alone(values):
    transform = Transform([2.0, -1.0, 1.0], [0.5, 0.0, 1.0], sines=[1], cosines=[2], fills={0: 3.0})
    together = transform(values)
    for row, values_of_one in zip(together, values, strict=True):
        np.testing.assert_array_equal(row, transform(values_of_one))
    assert np.isfinite(together[:, 0]).all()


@pytest.mark.parametrize(('low', 'first'), [(-np.pi, 3.0), (0.0, 0.5)])
def test_an_unwrapped_angle_follows_the_wheel_over_many_turns_both_ways(low, first):
    """Whatever interval the driver wraps to."""
    unwrap = Unwrap([1])
    angles = first + np.concatenate([np.arange(0, 30, 0.7), np.arange(30, -30, -1.3)])
    start = None
    for angle in angles:
        values = np.array([7.0, (angle - low) % (2 * np.pi) + low])
        start = values[1] if start is None else start
        unwrap(values)
        assert values[0] == 7.0
        assert values[1] - start == pytest.approx(angle - first, abs=1e-9)


def test_an_angle_that_is_not_finite_does_not_lose_the_turns():
    unwrap, read = Unwrap([0]), []
    for angle in (3.0, np.nan, -3.0):
        values = np.array([angle])
        unwrap(values)
        read.append(values[0])
    assert read == pytest.approx([3.0, np.nan, 2 * np.pi - 3.0], nan_ok=True)


def test_angles_of_many_simulations_unwrap_each_for_itself_and_restart_each_for_itself():
    rng = np.random.default_rng(1)
    steps = rng.uniform(-3.0, 3.0, (40, 4, 2))
    true = np.cumsum(steps, axis=0)
    measured = (true + np.pi) % (2 * np.pi) - np.pi
    measured[7, 1, 0] = NAN
    together, alone = Unwrap([0, 1]), [Unwrap([0, 1]) for _ in range(4)]
    for time, values in enumerate(measured):
        if time == 20:
            together.restart(np.array([False, True, False, True]))
            alone[1].restart()
            alone[3].restart()
        expected = values.copy()
        for one, row in zip(alone, expected, strict=True):
            one(row)
        together(values)
        np.testing.assert_array_equal(values, expected)
    np.testing.assert_allclose(values[[0, 2]] - true[-1][[0, 2]], measured_start(steps)[[0, 2]], atol=1e-9)


def measured_start(steps):
    """By how much the first measured angle differs from the true one."""
    return (steps[0] + np.pi) % (2 * np.pi) - np.pi - steps[0]
