"""One step for each period of the policy, whatever the driver's rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.step_schedule import StepSchedule

T, MS = 0.02, 1_000_000


def answered(stamps, unusable=()):
    schedule, steps = StepSchedule(T), []
    for stamp in stamps:
        if schedule.is_due(round(stamp * MS)) and stamp not in unusable:
            schedule.note_step(round(stamp * MS))
            steps.append(stamp)
    return steps


@pytest.mark.parametrize('rate', [500, 400, 200, 100, 60])
def test_a_faster_driver_gives_a_step_for_each_period(rate):
    steps = answered(np.arange(0, 2000, 1000 / rate))
    assert len(steps) == pytest.approx(100, abs=2 if rate > 60 else 20)
    gaps = np.diff(steps)[2:]  # the driver's rate is known by then
    assert gaps.min() >= (0.9 if rate >= 200 else 0.5) * 20 and gaps.max() <= 1.5 * 20 + 1000 / rate


@given(st.lists(st.floats(-4, 4), min_size=20, max_size=100))
def test_every_state_of_a_driver_at_the_policy_s_rate_is_answered_however_unevenly_it_comes(late):
    stamps = [20 * i + shift for i, shift in enumerate(late)]
    assert answered(stamps) == stamps


def test_every_state_of_a_slower_driver_is_answered_and_lost_ones_do_not_matter():
    assert len(answered(range(0, 3000, 30))) == 100
    kept = [20 * i for i in range(100) if i % 7]
    assert answered(kept) == kept


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=200))
def test_there_are_never_more_steps_than_periods(gaps):
    stamps = np.cumsum(gaps)
    steps = np.array(answered(stamps))
    for start in steps:
        assert ((steps >= start) & (steps < start + 200)).sum() <= 11


def test_a_gap_or_a_clock_that_jumps_back_begins_anew():
    assert answered([0, 500, 502, 520]) == [0, 500, 520]
    assert answered([1000, 0, 2, 20]) == [1000, 0, 20]


def test_after_a_state_that_cannot_be_used_the_next_one_is_answered():
    assert answered(range(0, 100, 2)) == [0, 18, 38, 58, 78, 98]
    assert answered(range(0, 100, 2), unusable={18, 20, 58}) == [0, 22, 40, 60, 80]
    assert answered([0, 1, 20, 21, 40, 41], unusable={0, 20, 40}) == [1, 21, 41], 'a state in two messages'
