import numpy as np
import torch

from velora_ros.models.normaliser import Normaliser, divisors


def samples() -> np.ndarray:
    """Return a steady entry, one that is hardly ever there, and one that never changes; shape (1000, 3)."""
    values = np.zeros((1000, 3), np.float32)
    values[:, 0] = np.random.default_rng(0).uniform(-2, 2, 1000)
    values[7, 1] = 1.0
    values[:, 2] = 4.0
    return values


def test_a_normaliser_gives_mean_0_and_deviation_1() -> None:
    normaliser, values = Normaliser(3), samples()
    normaliser.freeze(values, 0.01)
    normal = normaliser(torch.as_tensor(values)).numpy()
    np.testing.assert_allclose(normal[:, 0].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(normal[:, 0].std(), 1, rtol=1e-5)
    np.testing.assert_allclose(divisors(values, 0.01), np.maximum(values.std(axis=0), 0.01))
    np.testing.assert_allclose(divisors(values, 3.0), 3.0)


def test_within_a_limit_a_rare_entry_stays_small_and_a_constant_one_is_not_scaled() -> None:
    values = samples()
    assert np.abs(values - values.mean(axis=0)).max(axis=0)[1] / divisors(values, 0.01)[1] > 30
    limited = divisors(values, 0.01, 5.0)
    np.testing.assert_allclose(limited[0], values[:, 0].std(), rtol=1e-6)
    np.testing.assert_allclose(np.abs(values[:, 1] - values[:, 1].mean()).max() / limited[1], 5.0, rtol=1e-5)
    assert limited[2] == 1.0
