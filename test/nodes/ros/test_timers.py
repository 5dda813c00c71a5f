"""Timers whose period changes, on a real node."""

import time

import pytest

from velora_ros.nodes.ros.timers import Timers

pytestmark = pytest.mark.ros


def test_a_timer_with_an_extremely_long_period_does_not_call(ros):
    calls, timers = [], Timers(ros.node)

    def call():
        calls.append(None)

    timers.set(call, 1e12)
    timers.postpone(call, 1e12)
    ros.spin(0.1)
    assert not calls
    timers.postpone(call, 0.0)
    ros.until(lambda: calls, 'a call')


def test_a_timer_is_set_kept_postponed_and_removed(ros):
    calls, timers = [], Timers(ros.node)

    def call():
        calls.append(None)
        timers.postpone(call, 3600.0 if len(calls) == 3 else 0.02)

    timers.set(call, 0.02)
    timers.set(call, 0.02)  # the same one goes on
    ros.until(lambda: len(calls) == 3, 'three calls')
    ros.spin(0.2)
    assert len(calls) == 3, 'the fourth was postponed for an hour'
    timers.postpone(call, 0.0)
    ros.until(lambda: len(calls) > 5, 'calls again')
    timers.set(call, 0.0)
    ros.spin(0.1)
    gone = len(calls)
    timers.postpone(call, 0.0)
    ros.spin(0.1)
    assert len(calls) == gone


def test_a_timer_that_is_postponed_makes_no_other_one_call_twice(ros):
    calls, timers = [], Timers(ros.node)

    def slow():
        time.sleep(0.3)  # the other timer becomes due
        timers.postpone(slow, 3600.0)

    began = time.monotonic()
    timers.set(slow, 0.01)
    timers.set(lambda: calls.append(None), 0.25)
    ros.until(lambda: calls, 'a call')
    ros.spin(0.05)
    periods = (time.monotonic() - began) / 0.25
    assert len(calls) <= periods
