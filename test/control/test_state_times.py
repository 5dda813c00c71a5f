"""Which stamps are fresh, and where the hidden state cannot go on."""

import pytest
from control_bench import SPEC

from velora_ros.control.command_limits import Safety
from velora_ros.control.controller_settings import Settings
from velora_ros.control.state_times import StateTimes

MS = 1_000_000


@pytest.fixture
def times():
    return StateTimes(Safety(SPEC, Settings(max_state_age_s=0.05, max_gap_s=0.2)))


@pytest.mark.parametrize(
    ('age', 'why'),
    [(50, ''), (-50, ''), (51, 'above max_state_age_s'), (-51, 'clocks differ'), (10_001, 'clocks differ')],
)
def test_a_state_is_fresh_or_the_sentence_says_why_not(times, age, why):
    sentence = times.staleness(1000 * MS, (1000 + age) * MS)
    assert why in sentence and bool(sentence) is bool(why)


def test_a_state_may_be_ahead_of_a_clock_that_advances_in_steps(times):
    times.clock_step = 0.1
    assert times.staleness(1000 * MS, 851 * MS) == ''


def test_the_same_stamp_is_refused_the_second_time(times):
    assert times.refusal(5 * MS, 5 * MS) is None
    times.last = 5 * MS
    cause, sentence = times.refusal(5 * MS, 6 * MS)
    assert cause == 'duplicate' and 'same stamp' in sentence


@pytest.mark.parametrize(('stamp', 'cause'), [(300, ''), (301, 'gap'), (99, 'time_backwards')])
def test_a_gap_and_a_jump_back_in_time_are_discontinuities(times, stamp, cause):
    assert times.discontinuity(stamp * MS) == ''
    assert times.elapsed(stamp * MS) is None, 'after a reset, one control period'
    times.last = 100 * MS
    assert times.discontinuity(stamp * MS) == cause
    assert times.elapsed(stamp * MS) == pytest.approx((stamp - 100) / 1000)
