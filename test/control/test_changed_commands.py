"""A warning when limits change more than a twentieth of the policy's commands: which one, and by how much."""

import numpy as np
import pytest
from control_bench import Bench

from velora_ros.control.changed_commands import WINDOW, ChangedCommands

SENT = [0.5, 0.2]


@pytest.fixture
def counted():
    return ChangedCommands(('hip/position', 'wheel'), ('rad', ''))


def test_up_to_a_twentieth_of_changed_commands_is_normal(counted):
    for i in range(100):
        wanted = [0.7, 0.2] if i < 5 else SENT
        counted.note(wanted, SENT, SENT, SENT)
    assert counted.report() == ''
    counted.note([0.7, 0.2], SENT, SENT, SENT)
    assert counted.report() == 'limits change 6% of the commands, most often hip/position, by up to 0.2 rad (bounds)'


def test_the_action_that_is_changed_most_often_is_named_with_its_largest_change_and_the_limit(counted):
    for i in range(40):
        counted.note(SENT, SENT, [0.5, 0.3 + 0.01 * i], SENT)
    counted.note([9.0, 0.2], SENT, SENT, SENT)
    assert counted.report() == 'limits change 100% of the commands, most often wheel, by up to 0.49 (slew_rate)'


def test_only_the_last_seconds_count(counted):
    for _ in range(30):
        counted.note([0.7, 0.2], SENT, SENT, SENT)
    reports = [counted.report() for _ in range(WINDOW + 1)]
    assert all(reports[:WINDOW]) and reports[WINDOW] == ''
    for _ in range(30):
        counted.note([0.7, 0.2], SENT, SENT, SENT)
    counted.begin()
    assert counted.report() == ''


def test_rounding_and_a_handful_of_commands_are_no_reason_to_warn(counted):
    for _ in range(100):
        counted.note([0.5 + 1e-12, 0.2], SENT, SENT, SENT)
    assert counted.report() == ''
    few = ChangedCommands(('hip/position', 'wheel'), ('rad', ''))
    few.note([0.7, 0.2], SENT, SENT, SENT)
    assert few.report() == ''


@pytest.mark.parametrize(
    ('limits', 'answer', 'words'),
    [
        ({}, [5.0, 0.5], 'slider/effort, by up to 2 N (bounds)'),
        ({'slew_rate': (1.0, 0.0)}, [2.0, 0.5], 'slider/effort, by up to 1.98 N (slew_rate)'),
    ],
)
def test_the_controller_says_which_commands_its_limits_change(limits, answer, words):
    bench = Bench(**limits)
    for i in range(30):
        bench.policy.answer = np.array([answer[0] * (-1) ** i, answer[1]])
        bench.state()
    assert words.split(',')[0] in (report := bench.controller.changed.report()) and '(' in report
    if not limits:
        assert words in report


def test_a_ramp_is_not_a_limit_and_commands_within_all_limits_are_not_counted():
    bench = Bench(ramp_s=10.0)
    bench.policy.answer = np.array([2.0, 0.5])
    for _ in range(30):
        bench.state()
    assert bench.controller.changed.report() == ''
