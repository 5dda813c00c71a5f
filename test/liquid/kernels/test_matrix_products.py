"""The compiled building blocks compute what numpy computes, whatever the sizes and layouts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.liquid.kernels.activations import sigmoid, tanh
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product

SIZES = st.integers(1, 70)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(m=SIZES, k=SIZES, n=SIZES, transposed=st.booleans())
def test_a_product_is_added_and_nothing_around_it_is_touched(m: int, k: int, n: int, transposed: bool) -> None:
    a, b, frame = normal(m, k), normal(k, n), normal(m + 2, n)
    expected = frame.copy()
    expected[1:-1] += a @ b
    add_product(a.T.copy().T if transposed else a, b, frame[1:-1])
    np.testing.assert_allclose(frame, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(blocks=st.integers(1, 4), m=SIZES, k=SIZES, n=SIZES)
def test_an_outer_product_is_summed_over_columns_and_blocks(blocks: int, m: int, k: int, n: int) -> None:
    a, b, out = normal(blocks, m, n), normal(blocks, k, n), np.full((m, k), 7, np.float32)
    outer_product(a, b, out)
    np.testing.assert_allclose(out, np.einsum('tmn,tkn->mk', a, b), rtol=1e-4, atol=2e-4)


@kernel
def each(x: np.ndarray, tanhs: np.ndarray, sigmoids: np.ndarray) -> None:
    for n in range(x.size):
        tanhs[n] = tanh(x[n])
    for n in range(x.size):
        sigmoids[n] = sigmoid(x[n])


def test_tanh_and_sigmoid_are_exact_to_float32_everywhere() -> None:
    x = np.concatenate([np.linspace(-25, 25, 100_001), [1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf]])
    x = x.astype(np.float32)
    tanhs, sigmoids = np.empty_like(x), np.empty_like(x)
    each(x, tanhs, sigmoids)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(tanhs, np.tanh(exact), rtol=4e-7, atol=0)
    np.testing.assert_allclose(sigmoids, 0.5 + 0.5 * np.tanh(exact / 2), rtol=0, atol=2e-7)
    assert np.abs(tanhs).max() == 1
    each(np.array([np.nan], np.float32), tanhs, sigmoids[:1])
    assert np.isnan(tanhs[0])
    assert np.isnan(sigmoids[0])


@pytest.mark.parametrize('size', [1, 16, 33])
def test_results_are_the_same_bit_for_bit_every_time(size: int) -> None:
    a, b = normal(size, size), normal(size, size)
    results = [np.zeros((size, size), np.float32) for _ in range(3)]
    for out in results:
        add_product(a, b, out)
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


@pytest.mark.parametrize('transposed', [False, True])
def test_wide_products_are_the_same_bit_for_bit_as_their_parts(transposed: bool) -> None:
    """Wide matrices are copied block by block; the sums stay in their order."""
    a, b = normal(67, 300), normal(300, 1024 + 7)
    a = a.T.copy().T if transposed else a
    whole = np.zeros((67, b.shape[1]), np.float32)
    add_product(a, b, whole)
    np.testing.assert_allclose(whole, a @ b, rtol=1e-4, atol=1e-4)
    for start in (0, 512):
        part = np.zeros((67, 512), np.float32)
        add_product(a, b[:, start : start + 512].copy(), part)
        assert (part == whole[:, start : start + 512]).all()
