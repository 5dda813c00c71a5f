import numpy as np
import pytest
import torch

from velora_ros.models.targets import (
    lambda_returns,
    scale_and_clip,
    smoothing_noise,
    soft_update,
    soft_update_arrays,
)


def arrays(*rows: list[float]) -> list[np.ndarray]:
    return [np.array([row], np.float32) for row in rows]


REWARD, DISCOUNT, VALUE = arrays([1, 2, 3], [0.9, 0.9, 0.9], [10, 20, 30])
WITHIN = np.zeros((1, 3), np.float32)


def test_without_a_trace_a_return_is_one_step_and_the_value() -> None:
    assert lambda_returns(REWARD, DISCOUNT, VALUE, WITHIN, 0.0)[0] == pytest.approx([10, 20, 30])


def test_a_full_trace_sums_rewards_to_the_end_of_the_sequence() -> None:
    last = 3 + 0.9 * 30
    expected = [1 + 0.9 * (2 + 0.9 * last), 2 + 0.9 * last, last]
    assert lambda_returns(REWARD, DISCOUNT, VALUE, WITHIN, 1.0)[0] == pytest.approx(expected)


def test_a_trace_stops_where_an_episode_ends_and_a_termination_has_no_value() -> None:
    truncated = np.array([[1, 0, 1]], np.float32)
    assert lambda_returns(REWARD, DISCOUNT, VALUE, truncated, 1.0)[0, :2] == pytest.approx([1 + 0.9 * 20, 20])
    terminated = np.array([[0.9, 0.0, 0.9]], np.float32)
    assert lambda_returns(REWARD, terminated, VALUE, truncated, 1.0)[0, :2] == pytest.approx([1 + 0.9 * 2, 2])


def test_smoothing_noise_is_clipped_and_absent_when_off() -> None:
    noise = smoothing_noise((4000, 1, 1), 0.2, np.random.default_rng(0))
    assert 0.15 < noise.std() < 0.25
    assert np.abs(noise).max() == pytest.approx(0.5)
    assert not smoothing_noise((4000, 1, 1), 0.0, np.random.default_rng(0)).any()


def test_smoothing_noise_is_clipped_as_numpy_clips_and_nan_stays_nan() -> None:
    noise = np.random.default_rng(0).standard_normal(200, dtype=np.float32)
    noise[7] = np.nan
    expected = (np.float32(0.2) * noise).clip(-0.3, 0.3)
    scale_and_clip(noise, 0.2, 0.3)
    np.testing.assert_array_equal(noise, expected)


def test_the_soft_update_of_arrays_is_that_of_modules() -> None:
    rng = np.random.default_rng(0)
    online, target = torch.nn.Linear(30, 7), torch.nn.Linear(30, 7)
    arrays = [[p.detach().numpy().ravel().copy() for p in side.parameters()] for side in (online, target)]
    tau = float(rng.uniform(0, 1))
    soft_update(target, online, tau)
    for one, other, parameter in zip(*arrays, target.parameters(), strict=True):
        soft_update_arrays(other, one, tau)
        np.testing.assert_allclose(other, parameter.detach().numpy().ravel(), rtol=1e-6, atol=1e-7)
