import math

import numpy as np
import pytest

from velora_ros.models.targets import (
    lambda_returns,
    scale_and_clip,
    smoothing_noise,
    traces,
    value_of_critics,
)


def arrays(*rows: list[float]) -> list[np.ndarray]:
    return [np.array([row], np.float32) for row in rows]


REWARD, DISCOUNT, VALUE = arrays([1, 2, 3], [0.9, 0.9, 0.9], [10, 20, 30])
WITHIN = np.zeros((1, 3), np.float32)


def constant(trace: float) -> np.ndarray:
    return np.full((1, 3), trace, np.float32)


def test_without_a_trace_a_return_is_one_step_and_the_value() -> None:
    assert lambda_returns(REWARD, DISCOUNT, VALUE, WITHIN, constant(0.0))[0] == pytest.approx([10, 20, 30])


def test_a_full_trace_sums_rewards_to_the_end_of_the_sequence() -> None:
    last = 3 + 0.9 * 30
    expected = [1 + 0.9 * (2 + 0.9 * last), 2 + 0.9 * last, last]
    assert lambda_returns(REWARD, DISCOUNT, VALUE, WITHIN, constant(1.0))[0] == pytest.approx(expected)


def test_a_trace_stops_where_an_episode_ends_and_a_termination_has_no_value() -> None:
    truncated = np.array([[1, 0, 1]], np.float32)
    assert lambda_returns(REWARD, DISCOUNT, VALUE, truncated, constant(1.0))[0, :2] == pytest.approx([1 + 0.9 * 20, 20])
    terminated = np.array([[0.9, 0.0, 0.9]], np.float32)
    assert lambda_returns(REWARD, terminated, VALUE, truncated, constant(1.0))[0, :2] == pytest.approx([1 + 0.9 * 2, 2])


def test_each_step_mixes_with_its_own_lambda_in_what_follows() -> None:
    trace = np.array([[0.3, 0.5, 0.25]], np.float32)
    last = 3 + 0.9 * 30
    second = 2 + 0.9 * (0.75 * 20 + 0.25 * last)
    first = 1 + 0.9 * (0.5 * 10 + 0.5 * second)
    assert lambda_returns(REWARD, DISCOUNT, VALUE, WITHIN, trace)[0] == pytest.approx([first, second, last])


def test_a_trace_is_cut_by_the_distance_from_the_policy_as_in_the_formula() -> None:
    rng = np.random.default_rng(0)
    taken, policy = rng.uniform(-1, 1, (2, 4, 6, 3)).astype(np.float32)
    expected = np.empty((4, 6))
    for b, t in np.ndindex(4, 6):
        squares = [(float(taken[b, t, i]) - float(policy[b, t, i])) ** 2 for i in range(3)]
        expected[b, t] = 0.9 * math.exp(-(sum(squares) / 3) / (2 * 0.3**2))
    np.testing.assert_allclose(traces(taken, policy, 0.9, 0.3, axis=-1), expected, rtol=1e-5)
    columns = traces(np.moveaxis(taken, -1, 0), np.moveaxis(policy, -1, 0), 0.9, 0.3, axis=0)
    np.testing.assert_allclose(columns, expected, rtol=1e-5)
    np.testing.assert_allclose(traces(policy, policy, 0.9, 0.3, axis=-1), np.full((4, 6), 0.9), rtol=1e-6)


def test_without_a_width_no_trace_is_cut() -> None:
    taken, policy = np.ones((2, 5, 3), np.float32), -np.ones((2, 5, 3), np.float32)
    np.testing.assert_array_equal(traces(taken, policy, 0.9, 0.0, axis=-1), np.full((2, 5), 0.9, np.float32))


def test_the_value_of_two_critics_lies_between_the_smaller_one_and_their_mean() -> None:
    one, other = np.array([1, 8, 3], np.float32), np.array([5, 2, 3], np.float32)
    assert value_of_critics([one, other], 0.0) == pytest.approx([1, 2, 3])
    assert value_of_critics([one, other], 1.0) == pytest.approx([3, 5, 3])
    assert value_of_critics([one, other], 0.25) == pytest.approx([1.5, 2.75, 3])
    assert value_of_critics([one], 1.0) == pytest.approx(one)


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
