"""Which command the controller answers a state with, and what it does without one."""

import math

import numpy as np
import pytest
from control_bench import Bench, T

from velora_ros.control import Settings
from velora_ros.control.status import WAITING

# --- time ----------------------------------------------------------------------------------------------------------


def test_elapsed_time_comes_from_the_stamps_and_the_first_step_is_one_period():
    bench = Bench()
    bench.state(age=0.001)
    bench.state(after=0.03, age=0.005)
    assert bench.policy.dts[0] is None
    assert bench.policy.dts[1] == pytest.approx(0.03 - 0.004)


def test_a_delayed_state_within_the_limit_is_used_and_an_older_one_is_not():
    bench = Bench()
    assert bench.state(age=2.9 * T) is not None
    assert bench.state(after=1.0, age=3.1 * T) is None
    assert 'max_state_age_s' in bench.reason


@pytest.mark.parametrize('age', [-0.5, 11.0])
def test_a_stamp_of_another_clock_is_named_as_such(age):
    bench = Bench()
    assert bench.state(age=age) is None
    assert 'the clocks differ. Check use_sim_time' in bench.reason


@pytest.mark.parametrize('step', [0.1, 0.5])
def test_a_state_ahead_of_a_slow_clock_by_less_than_its_step_is_fresh(step):
    bench = Bench()
    assert bench.state(age=-step) is None
    bench.controller.set_clock_step(step)
    assert bench.state(age=-step) is not None
    assert bench.state(after=step, age=-step - 3.1 * T) is None
    assert 'in the future: the clocks differ' in bench.reason
    assert bench.state(after=2 * step, age=step + 3.1 * T) is None, 'an old state is no fresher for it'


def test_a_long_gap_and_time_running_backwards_reset_the_hidden_state():
    bench = Bench(max_state_age_s=0)
    bench.state()
    bench.state(after=11 * T)
    bench.state(after=-1.0)
    assert bench.policy.dts == [None, None, None]
    assert bench.controller.counts['reset.gap'] == 1
    assert bench.controller.counts['reset.time_backwards'] == 1


def test_what_begins_with_a_state_is_known_before_it_is_taken():
    """Angles that are unwrapped begin anew exactly where the hidden state does."""
    bench = Bench(max_state_age_s=0)
    begun = []
    for step in (0.0, T, 11 * T, T, -1.0, T):
        bench.time += step
        begun.append(bench.controller.begins(bench.now))
        bench.time -= step
        bench.state(after=step)
    bench.controller.reset('request')
    begun.append(bench.controller.begins(bench.now))
    bench.state()
    assert begun == [dt is None for dt in bench.policy.dts] == [True, False, True, False, True, False, True]


def test_a_repeated_stamp_advances_nothing():
    bench = Bench()
    bench.state()
    hidden = bench.policy.hidden
    assert bench.state(after=0.0) is None
    assert bench.policy.hidden is hidden
    assert 'same stamp as the previous one' in bench.reason


def test_a_limit_of_zero_switches_the_check_off():
    bench = Bench(max_state_age_s=0, watchdog_timeout_s=0, max_gap_s=0)
    assert bench.state(age=50.0) is not None
    assert bench.state(after=100.0) is not None
    assert bench.policy.dts[1] == pytest.approx(150.0)
    assert bench.silence(1e6) is None


# --- bad numbers ---------------------------------------------------------------------------------------------------


def test_bad_numbers_are_refused_by_name_and_leave_the_hidden_state_alone():
    bench = Bench()
    bench.state()
    hidden = bench.policy.hidden.copy()
    assert bench.state((0.1, math.nan)) is None
    assert np.array_equal(bench.policy.hidden, hidden)
    assert bench.controller.status.level == 'warn'
    assert bench.reason == "the state is not finite: 'hinge/velocity' is nan"
    assert bench.state() is not None
    assert bench.controller.status == ('ok', 'armed', '')


# --- faults --------------------------------------------------------------------------------------------------------


def test_silence_latches_a_fault_with_one_fallback_and_only_clearing_ends_it():
    bench = Bench()
    last = bench.state()
    assert bench.silence(9 * T) is None
    fallback = bench.silence(2 * T)
    assert fallback.tolist() == [0.0, last[1]], 'efforts go to zero, positions are held'
    assert bench.silence(1.0) is None
    assert bench.state() is None
    bench.controller.clear_fault()
    assert not bench.controller.armed
    assert bench.controller.arm()
    assert bench.state() is not None


def test_unusable_states_are_silence_too_and_the_fault_says_why():
    bench = Bench()
    bench.state()
    for _ in range(11):
        bench.state((math.nan, 0.0))
    assert bench.silence(0.0) is not None
    assert "'hinge/position' is nan" in bench.controller.fault


def test_there_is_no_watchdog_before_the_first_state_nor_while_disarmed():
    assert Bench().silence(100.0) is None
    disarmed = Bench(armed=False)
    disarmed.state()
    disarmed.silence(100.0)
    assert not disarmed.controller.fault
    disarmed.controller.arm()
    disarmed.silence(100.0)
    assert not disarmed.controller.fault


def test_armed_while_the_robot_is_silent_the_status_says_what_is_waited_for():
    bench = Bench(armed=False, auto_recover=True)
    bench.state()
    bench.silence(100.0)
    bench.controller.arm()
    assert bench.controller.status == ('ok', 'armed', WAITING)
    bench.state()
    assert bench.controller.status == ('ok', 'armed', '')
    bench.silence(100.0)
    bench.controller.clear_fault()
    assert bench.controller.status == ('ok', 'armed', WAITING)


def test_the_watchdog_says_when_it_has_to_look_again():
    bench = Bench(armed=False)
    assert bench.controller.until_watchdog(bench.time) == pytest.approx(10 * T), 'a state may come at any time'
    bench.controller.arm()
    bench.state()
    bench.silence(4 * T)
    assert bench.controller.until_watchdog(bench.time) == pytest.approx(6 * T)
    assert bench.silence(6.1 * T) is not None
    assert bench.controller.until_watchdog(bench.time) == pytest.approx(10 * T), 'the fault is latched'


def test_a_policy_that_answers_nan_is_stopped_and_its_hidden_state_reset():
    bench = Bench()
    bench.state()
    bench.policy.answer = np.array([math.nan, 0.5])
    fallback = bench.state()
    assert np.isfinite(fallback).all()
    assert bench.controller.status.state == 'fault'
    assert bench.controller.counts['reset.not_finite'] == 1


# --- the way of a command ------------------------------------------------------------------------------------------


def test_after_arming_commands_are_ramped_in_from_where_the_robot_is():
    bench = Bench(ramp_s=4 * T)
    bench.policy.answer = np.array([2.0, 0.5])
    commands = np.array([bench.state() for _ in range(6)])
    assert commands[:, 0] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.0]), 'an effort starts from zero'
    assert commands[:, 1] == pytest.approx(0.5), 'a position that is not measured is taken as it is'


def test_a_ramp_that_is_set_while_commanding_waits_for_the_next_arming():
    bench = Bench()
    bench.policy.answer = np.array([2.0, 0.5])
    bench.state()
    bench.controller.settings = Settings(ramp_s=4 * T)
    bench.policy.answer = np.array([-2.0, 0.5])
    assert bench.state()[0] == -2.0, 'ramped in now, a balanced robot would fall'
    bench.controller.disarm()
    bench.controller.arm()
    assert [bench.state()[0] for _ in range(3)] == pytest.approx([0.0, -0.5, -1.0])


def test_a_command_changes_no_faster_than_its_slew_rate_in_real_time():
    bench = Bench(slew_rate=(10.0, 0.0))
    bench.policy.answer = np.array([2.0, 0.3])
    commands = [bench.state(after=after)[0] for after in (T, T, 0.05, 0.001)]
    assert commands == pytest.approx([0.0, 0.2, 0.7, 0.71])
    bench.policy.answer = np.array([-2.0, 0.8])
    assert bench.state() == pytest.approx([0.51, 0.8])


@pytest.mark.parametrize('max_gap_s', [-1.0, 0.0, 50.0])
def test_a_pause_earns_no_jump(max_gap_s):
    bench = Bench(slew_rate=(1.0,), watchdog_timeout_s=0, max_gap_s=max_gap_s)
    bench.policy.answer = np.array([3.0, 0.5])
    first = bench.state()
    assert bench.state(after=100.0)[0] - first[0] == pytest.approx(10 * T)


def test_commanding_resumes_gently_after_a_fault_and_starts_afresh_after_arming():
    bench = Bench(slew_rate=(10.0,), auto_recover=True)
    bench.policy.answer = np.array([3.0, 0.5])
    for _ in range(30):
        bench.state()
    assert bench.silence(1.0).tolist() == [0.0, 0.5]
    assert bench.state().tolist() == [0.0, 0.5], 'from the fallback'
    assert bench.state()[0] == pytest.approx(0.2)
    bench.controller.disarm()
    bench.controller.arm()
    assert bench.state()[0] == 0.0


def test_a_tick_without_a_new_state_repeats_the_command_while_it_is_fresh():
    bench = Bench()
    first = bench.state()
    steps = len(bench.policy.dts)
    assert np.array_equal(bench.repeat(after=T), first)
    assert len(bench.policy.dts) == steps, 'the hidden state stays'
    assert bench.repeat(after=3 * T) is None
    assert 'max_state_age_s' in bench.reason


def test_repeating_goes_on_towards_what_the_policy_wanted():
    bench = Bench(slew_rate=(10.0, 0.0))
    bench.policy.answer = np.array([2.0, 0.3])
    assert bench.state()[0] == 0.0
    assert [bench.repeat(after=0.01)[0] for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize('interruption', ['disarm', 'emergency_stop'])
def test_nothing_is_repeated_when_commanding_ended(interruption):
    bench = Bench()
    bench.state()
    getattr(bench.controller, interruption)()
    assert bench.repeat() is None
    bench.controller.clear_fault()
    bench.controller.arm()
    assert bench.repeat() is None
