import numpy as np
import pytest

from velora_ros.models.targets import lambda_returns


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
