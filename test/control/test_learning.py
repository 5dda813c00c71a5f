import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.learning import MinuteReturns, Swaps

PERIOD = 0.04


def fill(minutes, lengths):
    """Episodes of these lengths [steps], a reward of 1 each step; returns how long the robot moved [s]."""
    step = 0
    for episode, length in enumerate(lengths):
        for _ in range(length):
            step += 1
            minutes.reward(step * PERIOD, 1.0, episode)
        minutes.fall(step * PERIOD)
    return step * PERIOD


def test_a_pole_that_falls_and_then_stands_has_a_low_and_a_full_minute():
    minutes = MinuteReturns()
    end = fill(minutes, [15] * 100 + [6000])
    assert minutes.first == pytest.approx(15)
    assert minutes.last == 1500
    assert minutes.falls(end) == 1  # where the last episode ends, this test ends it


def test_a_run_shorter_than_a_minute_is_its_first_and_its_last_minute():
    minutes = MinuteReturns()
    fill(minutes, [10, 20, 30])
    assert minutes.first == minutes.last == 20


def test_without_a_reward_there_is_no_return():
    assert MinuteReturns().first == MinuteReturns().last == 0.0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_no_minute_returns_more_than_its_rewards_and_no_less_than_their_share(lengths):
    minutes = MinuteReturns()
    fill(minutes, lengths)
    for value in (minutes.first, minutes.last):
        assert min(1500, sum(lengths)) / len(lengths) <= value + 1 <= np.max(lengths) + 1


def test_only_the_seconds_around_a_swap_count():
    swaps = Swaps()
    for count, missed, latency in [(0, 3, 9000.0), (0, 3, 400.0), (2, 4, 500.0), (2, 9, 8000.0), (2, 9, 300.0)]:
        swaps.second(count, missed, latency)
    assert (swaps.count, swaps.missed, swaps.latency_max_us) == (2, 1, 500.0)


def test_a_swap_told_a_second_later_is_seen_and_nothing_counts_twice():
    swaps = Swaps()
    for count, missed, latency in [(0, 0, 300.0), (0, 2, 900.0), (1, 2, 400.0), (2, 3, 500.0)]:
        swaps.second(count, missed, latency)
    assert (swaps.missed, swaps.latency_max_us) == (3, 900.0)
