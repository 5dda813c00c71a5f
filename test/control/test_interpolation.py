"""Interpolation: a straight line to each new command over one period, which stops at its target and ends at once."""

import math

import numpy as np
import pytest
from control_bench import Bench, T

from velora_ros.control import Controller, Settings
from velora_ros.control.interpolation import Interpolation
from velora_ros.errors import ConfigError

TICK = T / 4


def bench(**limits):
    """A controller that interpolates; the first command is at rest."""
    found = Bench(interpolate=4 / T, **limits)
    found.policy.answer = np.zeros(2)
    found.state()
    found.interpolate(after=T / 2)
    return found


def ask(robot, effort, gripper=0.1, after=T / 2):
    robot.policy.answer = np.array([effort, gripper])
    return robot.state(after=after)


def test_a_command_moves_to_the_new_one_over_one_period_and_stops_there():
    robot = bench()
    assert ask(robot, 2.0).tolist() == [0.0, 0.1], 'the line begins where the robot was commanded'
    efforts = [robot.interpolate(after=TICK)[0] for _ in range(4)]
    assert efforts == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert robot.interpolate(after=TICK) is None, 'it stops at its target'
    assert robot.controller.counts['interpolated'] == 5


def test_a_state_that_comes_early_or_late_continues_from_where_the_line_is():
    robot = bench()
    ask(robot, 2.0)
    robot.interpolate(after=TICK)
    assert ask(robot, 0.0, after=TICK)[0] == pytest.approx(1.0), 'half of the way'
    assert robot.interpolate(after=T / 2)[0] == pytest.approx(0.5)
    assert ask(robot, 1.0, after=2 * T)[0] == 0.0, 'the target, which no tick sent'


def test_the_first_command_after_arming_is_where_a_ramp_would_begin():
    robot = Bench(interpolate=4 / T)
    robot.policy.answer = np.array([3.0, 0.9])
    first = robot.state()
    assert first.tolist() == [0.0, 0.9], 'no effort; a position that is not measured as it is'
    assert robot.interpolate(after=T).tolist() == [3.0, 0.9]


def test_the_slew_rate_limits_interpolated_commands_too():
    robot = bench(slew_rate=(20.0,))
    before = ask(robot, 3.0)[0]
    for _ in range(4):
        command = robot.interpolate(after=TICK)[0]
        assert 0 < command - before <= 20.0 * TICK + 1e-12
        before = command


@pytest.mark.parametrize('event', ['watchdog', 'emergency_stop', 'disarm'])
def test_a_fallback_ends_the_line_at_once(event):
    robot = bench(watchdog_timeout_s=0.001, max_state_age_s=5.0)
    ask(robot, 2.0)
    robot.interpolate(after=TICK)
    fallback = robot.silence(0.002) if event == 'watchdog' else getattr(robot.controller, event)()
    assert fallback[0] == 0.0
    assert robot.interpolate(after=TICK) is None
    robot.controller.clear_fault()
    robot.controller.arm()
    assert robot.interpolate(after=TICK) is None, 'nothing before the next state'


@pytest.mark.parametrize('event', ['reset', 'swap'])
def test_a_reset_and_another_policy_end_the_line_and_the_next_one_begins_at_the_last_command(event):
    robot = bench()
    ask(robot, 2.0)
    sent = robot.interpolate(after=TICK)[0]
    if event == 'swap':
        robot.policy = robot.policy.twin()
        robot.controller.swap(robot.policy)
    else:
        robot.controller.reset('request')
    assert robot.interpolate(after=TICK) is None
    assert ask(robot, 2.0)[0] == sent


def test_the_line_ends_when_its_state_becomes_too_old():
    robot = bench(max_state_age_s=T)
    robot.policy.answer = np.array([2.0, 0.1])
    robot.state(age=0.9 * T)
    assert robot.interpolate(after=T / 20) is not None
    assert robot.interpolate(after=TICK) is None and 'above max_state_age_s' in robot.reason
    robot.offset -= TICK  # a clock that is set back does not let it go on
    assert robot.interpolate() is None


def test_it_can_be_switched_off_while_it_runs():
    robot = bench()
    ask(robot, 2.0)
    robot.controller.settings = Settings()
    assert robot.interpolate(after=TICK) is None
    assert ask(robot, 2.0)[0] == 2.0


@pytest.mark.parametrize(
    ('limits', 'words'),
    [
        ({'interpolate': 50.0}, "'command.interpolate' is 50 Hz, but the policy itself commands at 50 Hz"),
        ({'interpolate': math.inf}, "'interpolate' has the value inf"),
        ({'interpolate': 200.0, 'max_state_age_s': 0.01}, "'max_state_age_s' is 0.01 s, but with 'command.interpolate"),
    ],
)
def test_a_rate_or_an_age_that_does_not_fit_the_period_is_refused(limits, words):
    with pytest.raises(ConfigError, match=words):
        Controller(Bench().policy, Settings(**limits))


def test_a_line_is_exact_at_both_ends_and_before_it_begins():
    line = Interpolation()
    assert line.turn_to([0.3], [0.1], 5.0, 0.1) == [0.1]
    assert line.at(4.0) == [0.1] and line.at(5.05) == pytest.approx([0.2]) and not line.is_over
    assert line.at(5.2) == [0.3] and line.is_over
