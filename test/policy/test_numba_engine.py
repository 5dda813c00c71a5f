import numpy as np
import pytest

from velora_ros.policy import numba_engine

EDGES = [0.0, -0.0, 1e-300, 1e-9, 19.99, 20.0, 20.01, 39.9, 40.0, 40.1, 700.0, 1e60, 1e150]
POINTS = np.array([*np.linspace(-60, 60, 24001), *EDGES, *(-x for x in EDGES)])


def taken(function, points):
    result = points.copy()
    function(result)
    return result


def test_tanh_is_exact_to_1e_14_and_never_beyond_one():
    result = taken(numba_engine._tanh, POINTS)
    np.testing.assert_allclose(result, np.tanh(POINTS), rtol=0, atol=1e-14)
    assert np.abs(result).max() <= 1


def test_mish_is_exact_to_1e_14():
    expected = POINTS * np.tanh(np.logaddexp(0, POINTS))
    np.testing.assert_allclose(taken(numba_engine._mish, POINTS), expected, rtol=1e-14, atol=1e-14)


def test_nan_stays_nan():
    """The step detects an overflow by its result."""
    assert np.isnan(taken(numba_engine._tanh, np.array([np.nan, 1.0, 2.0, 3.0, np.nan]))[[0, 4]]).all()


@pytest.mark.parametrize('n_inputs', range(1, 10))
@pytest.mark.parametrize('n_outputs', [1, 3, 4, 17])
def test_affine_is_a_product_and_a_sum(n_inputs, n_outputs):
    rng = np.random.default_rng(n_inputs)
    weight, bias, inputs = rng.normal(size=(n_inputs, n_outputs)), rng.normal(size=n_outputs), rng.normal(size=n_inputs)
    out = np.full(n_outputs, np.nan)
    numba_engine._affine(weight, bias, inputs, out)
    np.testing.assert_allclose(out, inputs @ weight + bias, rtol=0, atol=1e-13)
