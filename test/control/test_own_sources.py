"""The values that the controller computes itself equal those that training read, by the shared functions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.contract.computed_entries import ClockPlan
from velora_ros.contract.gait_clock import moves, sine_and_cosine, strides
from velora_ros.control.own_sources import LastAction, RunningClock
from velora_ros.errors import ConfigError
from velora_ros.spec import Source

CLOCK = Source('clock', '', 'GaitClock', period_s=0.5, phase=0.25, moves_with='cmd_vel', moves_above=0.1)
commands = st.lists(st.sampled_from([0.0, 0.05, 0.1, -0.1, 0.11, -0.5]), min_size=3, max_size=3)


@given(st.integers(0, 10**13), st.integers(0, 10**12), commands)
def test_the_clock_of_one_robot_is_that_of_many(began, passed, command):
    clock = RunningClock(ClockPlan(CLOCK, entries=[4, 3], waves=[0, 1], command=[0, 1, 2]))
    clock.begin(began)
    values = np.array([*command, 9.0, 9.0])
    clock.fill(values, began + passed)
    sine, cosine = sine_and_cosine(strides(passed * 1e-9, 0.5, 0.25), moves(np.array(command), 0.1))
    np.testing.assert_allclose(values[3:], [cosine, sine], atol=1e-5)


def test_a_clock_without_a_command_always_runs():
    clock, values = RunningClock(ClockPlan(CLOCK, entries=[0], waves=[0])), np.zeros(1)
    clock.fill(values, 0)
    assert values[0] == pytest.approx(1.0)


def test_the_previous_action_is_read_in_any_order_as_the_controller_updates_it():
    action, values = np.array([1.0, 2.0, 3.0]), np.zeros(4)
    own = LastAction([(3, 0), (1, 2)], action)
    own.fill(values, 0)
    action[:] = [4.0, 5.0, 6.0]
    own.fill(values, 1)
    assert values.tolist() == [0.0, 6.0, 0.0, 4.0]
    with pytest.raises(ConfigError, match='have the numbers 0 to 2'):
        LastAction([(0, 3)], action)
