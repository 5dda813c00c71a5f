import numpy as np
import pytest

from velora_ros.contract.transforms import Unwrap


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
