"""Silence counts from the first usable state, is a fault after a while, and zeroes velocities before that."""

import math
from types import SimpleNamespace

import pytest

from velora_ros.control.watchdog import Watchdog


def watchdog(*, zeroes_at_once=True):
    return Watchdog(SimpleNamespace(watchdog_timeout=0.5, max_state_age=0.1, zeroes_at_once=zeroes_at_once))


def test_silence_counts_from_the_first_usable_state():
    dog = watchdog()
    assert dog.silence(100.0) == 0.0
    dog.note_state(100.0)
    assert dog.silence(100.25) == 0.25
    assert dog.until_fault(100.25) == 0.25
    dog.restart()
    assert dog.silence(200.0) == 0.0


def test_velocities_are_zeroed_once_for_each_silence():
    dog = watchdog()
    dog.note_state(1.0)
    assert dog.until_zero(1.04) == pytest.approx(0.06)
    dog.note_zeroed()
    assert dog.until_zero(1.2) == math.inf
    dog.note_state(1.3)
    assert dog.until_zero(1.3) == pytest.approx(0.1)


def test_commands_that_may_outlive_their_input_are_not_zeroed():
    dog = watchdog(zeroes_at_once=False)
    dog.note_state(1.0)
    assert dog.until_zero(2.0) == math.inf
