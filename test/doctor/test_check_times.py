"""Rates, ages and clocks."""

import numpy as np
import pytest
from doctor_arrays import levels, times

from velora_ros.doctor.check_times import check_times, rate_of
from velora_ros.doctor.samples import Times


def check(found, period=0.02, max_age=0.06, **options):
    return check_times('/joint_states', found, period=period, max_age=max_age, **options)


def test_a_steady_driver_is_in_order():
    assert levels(check(times(jitter=0.004))) == [('ok', 'rate'), ('ok', 'age')]
    assert rate_of(times()) == pytest.approx(50)


def test_a_rate_half_of_the_policys_is_found():
    found = check(times(period=0.04))
    assert levels(found)[0] == ('mend', 'rate')
    assert '0.5 times the 50 Hz of the policy' in found[0].text


def test_a_faster_driver_must_be_slowed_unless_the_policy_steps_at_its_period():
    found = check(times(period=0.002))
    assert (found[0].level, found[0].text.endswith("set 'rate_hz' to 50.")) == ('mend', True)
    assert levels(check(times(period=0.002), steps_at_period=True))[0] == ('ok', 'rate')


def test_a_stale_clock_is_found():
    fine = times()
    old = check(Times(fine.stamps - 3600, fine.received))
    assert ('mend', 'clock') in levels(old)
    assert '3600 s old, so the clocks differ' in old[-1].text
    ahead = check(Times(fine.stamps + 3600, fine.received))
    assert '3600 s in the future' in ahead[-1].text
    assert ('mend', 'clock') in levels(check(Times(fine.stamps + 0.2, fine.received)))


def test_states_that_are_late_are_found():
    found = check(times(delay=0.2))
    assert ('mend', 'age') in levels(found)
    assert 'a state older than 60 ms gets no command' in found[-1].text


def test_a_clock_that_stands_still_or_runs_slowly_is_found():
    fine = times()
    frozen = check(Times(np.zeros(100), fine.received))
    assert ('mend', 'clock') in levels(frozen)
    slow = check(Times(fine.stamps / 2, fine.received), period=0.01, max_age=None)
    assert any('advance by 0.5 s per second' in one.text for one in slow)


def test_two_publishers_whose_stamps_alternate_are_found():
    stamps = times().stamps.copy()
    stamps[1::2] -= 0.05
    assert any('earlier than the previous one' in one.text for one in check(Times(stamps, times().received)))


def test_messages_without_stamps_are_a_note():
    fine = times()
    assert ('note', 'clock') in levels(check(Times(np.full(100, np.nan), fine.received)))


def test_a_gap_is_noted():
    fine = times()
    received = fine.received + np.where(np.arange(100) > 50, 1.0, 0.0)
    assert ('note', 'gap') in levels(check(Times(fine.stamps, received)))


@pytest.mark.parametrize('n', [0, 3])
def test_too_few_messages_are_to_mend(n):
    assert levels(check(times(n))) == [('mend', 'rate')]
