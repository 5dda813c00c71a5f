import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.gym.real_time_pacer import RealTimePacer

PERIOD = 0.04
MAX_LAG = 0.1


@pytest.fixture
def pacer():
    pacer = RealTimePacer(PERIOD, MAX_LAG)
    pacer.start(now=50.0, time=3.0)
    return pacer


def test_target_follows_the_clock(pacer):
    assert pacer.target(now=50.02, time=3.0) == pytest.approx(3.02)
    assert pacer.due(3.02) == pytest.approx(50.02)
    assert pacer.overruns == 0


def test_small_lateness_is_caught_up(pacer):
    assert pacer.target(now=50.09, time=3.0) == pytest.approx(3.09)
    assert pacer.overruns == 0


def test_large_lateness_slips_by_whole_periods_and_is_counted(pacer):
    assert pacer.target(now=50.15, time=3.0) == pytest.approx(3.07)
    assert pacer.overruns == 1
    assert pacer.slipped == pytest.approx(2 * PERIOD)
    assert pacer.due(3.07) == pytest.approx(50.15)
    assert pacer.target(now=50.16, time=3.07) == pytest.approx(3.08)


def test_a_pause_costs_nothing_when_time_is_tied_again(pacer):
    pacer.start(now=1000.0, time=4.0)
    assert pacer.target(now=1000.01, time=4.0) == pytest.approx(4.01)
    assert pacer.overruns == 0


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_time_never_runs_ahead_of_the_clock_and_every_slip_is_accounted_for(gaps):
    pacer = RealTimePacer(PERIOD, MAX_LAG)
    pacer.start(now=0.0, time=0.0)
    now = time = 0.0
    for gap in gaps:
        now += gap
        target = pacer.target(now, time)
        assert target <= now + 1e-9
        assert target - time <= MAX_LAG + 1e-9
        time = max(time, target)
        assert target + pacer.slipped == pytest.approx(now)
    assert pacer.slipped / PERIOD == pytest.approx(round(pacer.slipped / PERIOD), abs=1e-6)


@given(st.lists(st.tuples(st.floats(0.0, 0.05), st.floats(0.1, 10.0)), max_size=30))
def test_at_any_speed_time_goes_on_from_where_it_was(changes):
    pacer = RealTimePacer(PERIOD, max_lag=100.0)
    now = 50.0
    pacer.start(now, time=3.0)
    expected = 3.0
    for gap, factor in changes:
        now += gap
        expected += gap * pacer.factor
        assert pacer.target(now, expected) == pytest.approx(expected)
        pacer.set_factor(factor, now)
        assert pacer.target(now, expected) == pytest.approx(expected)
        assert pacer.due(expected) == pytest.approx(now)
