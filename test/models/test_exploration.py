"""Exploration noise is Gaussian and clipped as numpy would clip it."""

import numpy as np

from velora_ros.models.exploration import add_and_clip, explore, random_action


def test_noise_is_added_and_clipped_as_numpy_does_and_nan_stays_nan() -> None:
    noise = np.random.default_rng(0).standard_normal(200, dtype=np.float32)
    noise[7] = np.nan
    action = np.linspace(-1, 1, 200, dtype=np.float32)
    expected = (action + noise).clip(-1, 1)
    add_and_clip(action, noise)
    np.testing.assert_array_equal(action, expected)


def test_exploration_has_the_deviation_asked_for_and_stays_within_the_actions() -> None:
    action = np.zeros(20_000, np.float32)
    explore(action, 0.1, np.random.default_rng(0))
    assert 0.098 < action.std() < 0.102
    explore(action, 5.0, np.random.default_rng(0))
    assert np.abs(action).max() == 1
    assert np.abs(random_action(1000, np.random.default_rng(0))).max() <= 1
