"""When the policy commands: arming, faults, resets, settings and another policy."""

import math

import numpy as np
import pytest
from control_bench import SECOND, Accumulator, Bench, T

from velora_ros.control import Controller, Settings
from velora_ros.control.arming import EMERGENCY_STOP
from velora_ros.errors import ConfigError

# --- arming, hidden state ------------------------------------------------------------------------------------------


def test_disarmed_the_hidden_state_goes_on_and_nothing_is_commanded():
    bench = Bench(armed=False)
    assert bench.state() is None
    first = bench.policy.hidden.copy()
    assert bench.state() is None
    assert bench.policy.hidden > first
    assert bench.controller.arm()
    assert bench.state() is not None


def test_disarming_sends_the_fallback_once():
    bench = Bench()
    bench.state()
    assert bench.controller.disarm() is not None
    assert bench.controller.disarm() is None
    assert bench.state() is None


def test_a_reset_forgets_history():
    bench = Bench()
    first = bench.state()
    assert not np.array_equal(bench.state(), first)
    bench.controller.reset('request')
    assert bench.repeat() is None, 'what was commanded answers a robot that was elsewhere'
    assert np.array_equal(bench.state(), first)
    assert bench.policy.dts == [None, pytest.approx(T), None]


# --- faults --------------------------------------------------------------------------------------------------------


def test_auto_recover_ends_a_watchdog_fault_but_never_an_emergency_stop():
    bench = Bench(auto_recover=True)
    bench.state()
    bench.silence(1.0)
    assert bench.state() is not None
    bench.controller.emergency_stop()
    assert bench.state() is None
    assert bench.controller.fault == EMERGENCY_STOP
    bench.controller.clear_fault()
    assert bench.state() is not None


def test_an_emergency_stop_holds_across_arming_disarming_and_activation():
    bench = Bench()
    bench.state()
    assert bench.controller.emergency_stop() is not None
    assert bench.controller.emergency_stop() is None
    bench.controller.disarm()
    assert not bench.controller.arm()
    bench.controller.activate(arm=True)
    assert bench.state() is None


def test_clearing_no_fault_changes_nothing():
    bench = Bench()
    bench.state()
    bench.controller.clear_fault()
    assert bench.state() is not None, 'who commands is not silenced without a fallback'
    assert bench.silence(1.0) is not None, 'and watched as before'


@pytest.mark.parametrize('armed', [True, False])
def test_another_fault_does_not_replace_an_emergency_stop(armed):
    bench = Bench(armed=armed, auto_recover=True)
    bench.state()
    bench.controller.emergency_stop()
    bench.policy.answer = np.array([math.nan, 0.5])
    assert bench.state() is None
    assert bench.controller.fault == EMERGENCY_STOP
    assert bench.controller.counts['fault.policy'] == 1, 'it is counted nevertheless'
    bench.policy.answer = None
    assert bench.state() is None, 'so auto_recover does not release the stop'


def test_a_start_is_refused_with_the_latched_fault_although_the_robot_is_armed():
    bench = Bench()
    bench.state()
    bench.silence(1.0)
    assert bench.controller.armed
    assert bench.controller.start().startswith('a fault is latched: no usable state for')
    bench.controller.disarm()
    bench.controller.clear_fault()
    assert bench.controller.start() == 'the robot is not armed; call ~/arm first.'


def test_a_replacing_controller_inherits_the_fault():
    controller = Controller(Accumulator(), Settings(), fault=EMERGENCY_STOP)
    controller.activate(arm=True)
    assert controller.decide(np.zeros(2), SECOND, SECOND, 1.0) is None


# --- settings and swap ---------------------------------------------------------------------------------------------


def test_settings_that_do_not_fit_change_nothing():
    bench = Bench()
    before = bench.controller.settings
    with pytest.raises(ConfigError, match='fallback_pose'):
        bench.controller.settings = Settings(fallback='pose', max_gap_s=0)
    assert bench.controller.settings is before
    assert bench.controller.safety.max_gap == pytest.approx(10 * T)


def test_a_swapped_policy_starts_from_a_fresh_hidden_state():
    bench = Bench()
    first = bench.state()
    bench.state()
    bench.controller.swap(Accumulator())
    assert np.array_equal(bench.state(), first)
    assert bench.controller.counts['reset.swap'] == 1


def test_a_swapped_policy_takes_over_from_the_last_command():
    bench = Bench(slew_rate=(10.0, 0.0))
    bench.policy.answer = np.array([3.0, 0.5])
    before = [bench.state()[0] for _ in range(4)][-1]
    bench.policy = bench.policy.twin()
    bench.controller.swap(bench.policy)
    assert before == pytest.approx(0.6)
    assert bench.state()[0] == pytest.approx(0.8)


# --- what must be confirmed before arming ---------------------------------------------------------------------------


def test_a_refusal_keeps_it_disarmed_says_why_and_arms_it_when_it_is_gone():
    bench = Bench(armed=False)
    bench.controller.refusals = ('confirm the units', 'confirm the period')
    bench.controller.activate(arm=True)
    assert bench.state() is None and not bench.controller.armed
    assert not bench.controller.arm()
    assert bench.controller.status == ('warn', 'disarmed', 'confirm the units; confirm the period')
    bench.controller.refusals = ('confirm the period',)
    assert bench.state() is None
    bench.controller.refusals = ()
    assert bench.state() is not None, 'it was to be armed on activation'


@pytest.mark.parametrize('undo', ['disarm', 'emergency_stop'])
def test_a_refused_controller_that_was_stopped_is_not_armed_later(undo):
    bench = Bench(armed=False)
    bench.controller.refusals = ('confirm the units',)
    bench.controller.activate(arm=True)
    getattr(bench.controller, undo)()
    bench.controller.clear_fault()
    bench.controller.refusals = ()
    assert bench.state() is None
    assert bench.controller.arm()


def test_a_refusal_that_comes_later_disarms_nothing_and_a_call_waits_for_nothing():
    bench = Bench()
    bench.controller.refusals = ('confirm the units',)
    assert bench.state() is not None
    bench.controller.disarm()
    assert not bench.controller.arm()
    bench.controller.refusals = ()
    assert not bench.controller.armed, 'a call that was refused is over'
