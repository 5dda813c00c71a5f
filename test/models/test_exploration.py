"""Noise is clipped as numpy would clip it."""

import numpy as np

from velora_ros.models.exploration import add_and_clip, scale_and_clip


def test_noise_equals_numpys_and_nan_stays_nan() -> None:
    noise = np.random.default_rng(0).standard_normal(200, dtype=np.float32)
    noise[7] = np.nan
    expected = (np.float32(0.2) * noise).clip(-0.3, 0.3)
    scaled = noise.copy()
    scale_and_clip(scaled, 0.2, 0.3)
    np.testing.assert_array_equal(scaled, expected)
    action = np.linspace(-1, 1, 200, dtype=np.float32)
    expected = (action + noise).clip(-1, 1)
    add_and_clip(action, noise)
    np.testing.assert_array_equal(action, expected)
