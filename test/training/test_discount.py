import gymnasium
import pytest

from velora_ros.training.discount import discount, time_limit


@pytest.mark.parametrize(
    ('periods', 'gamma'),
    [(None, 0.99), (10_000, 0.99), (1000, 0.99), (500, 0.99), (250, 0.98), (100, 0.95), (50, 0.95), (1, 0.95)],
)
def test_the_discount_is_one_minus_five_periods_of_the_time_limit_within_bounds(
    periods: int | None, gamma: float
) -> None:
    assert discount(periods) == pytest.approx(gamma)


def test_the_time_limit_is_the_registered_one() -> None:
    assert time_limit('Reacher-v5') == gymnasium.spec('Reacher-v5').max_episode_steps == 50
    assert time_limit('Nothing-v0') is None
    assert time_limit('nothing_here:Nothing-v0') is None
    assert time_limit('robot.xml') is None
