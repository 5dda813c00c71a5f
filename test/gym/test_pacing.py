import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.gym.pacing import RealTimePacer


def test_target_follows_the_clock():
    pacer = RealTimePacer(max_lag=0.1)
    pacer.start(now=50.0, time=3.0)
    assert pacer.target(now=50.02, time=3.0) == pytest.approx(3.02)
    assert pacer.overruns == 0


def test_small_lateness_is_caught_up():
    pacer = RealTimePacer(max_lag=0.1)
    pacer.start(now=0.0, time=0.0)
    assert pacer.target(now=0.09, time=0.0) == pytest.approx(0.09)
    assert pacer.overruns == 0


def test_large_lateness_slips_and_is_counted():
    pacer = RealTimePacer(max_lag=0.1)
    pacer.start(now=0.0, time=0.0)
    assert pacer.target(now=5.0, time=1.0) == pytest.approx(1.1)
    assert pacer.overruns == 1
    assert pacer.slipped == pytest.approx(3.9)
    assert pacer.target(now=5.05, time=1.1) == pytest.approx(1.15)


def test_a_pause_costs_nothing_when_time_is_tied_again():
    pacer = RealTimePacer(max_lag=0.1)
    pacer.start(now=0.0, time=0.0)
    pacer.start(now=1000.0, time=2.0)
    assert pacer.target(now=1000.01, time=2.0) == pytest.approx(2.01)
    assert pacer.overruns == 0


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_time_never_runs_backwards_nor_ahead_of_the_clock(gaps):
    pacer = RealTimePacer(max_lag=0.1)
    pacer.start(now=0.0, time=0.0)
    now = time = 0.0
    for gap in gaps:
        now += gap
        target = pacer.target(now, time)
        assert time - 1e-9 <= target <= now + 1e-9
        assert target - time <= 0.1 + 1e-9
        time = max(time, target)
    assert time + pacer.slipped == pytest.approx(now)
