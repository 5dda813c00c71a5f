import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.safety import Safety, Settings
from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec


def spec(*names, low=-1.0, high=2.0):
    count = len(names)
    return PolicySpec(('obs_0',), ('',), names, ('',) * count, (low,) * count, (high,) * count, 0.1)


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2))
def test_a_clipped_action_is_inside(values):
    action = Safety(spec('a/effort', 'b/effort'), Settings()).clipped(values)
    assert all(-1.0 <= value <= 2.0 for value in action)


def test_limits_derive_from_the_period_zero_switches_off_and_others_are_taken():
    safety = Safety(spec('a/effort'), Settings(max_state_age_s=-1, watchdog_timeout_s=0, max_gap_s=0.25))
    assert safety.max_state_age == pytest.approx(0.3)
    assert safety.watchdog_timeout == math.inf
    assert safety.max_gap == 0.25


def test_a_negative_limit_is_refused_with_what_would_be_valid():
    with pytest.raises(ConfigError, match=r"'max_gap_s' is -0.5 s; give a time, 0 .* or -1"):
        Settings(max_gap_s=-0.5)


@pytest.mark.parametrize(
    ('fallback', 'names', 'expected'),
    [
        ('auto', ('a/position', 'b/velocity', 'c/effort', 'action_3'), [0.5, 0.0, 0.0, 0.0]),
        ('zero', ('a/position', 'b/effort'), [0.0, 0.0]),
        ('hold', ('a/position', 'b/effort'), [0.5, 0.5]),
        ('none', ('a/position', 'b/effort'), None),
    ],
)
def test_the_fallback_follows_the_meaning_of_each_command(fallback, names, expected):
    command = Safety(spec(*names), Settings(fallback=fallback)).fallback([0.5] * len(names))
    assert command == expected


def test_nothing_is_held_before_there_was_a_command():
    assert Safety(spec('a/position'), Settings()).fallback(None) is None
    assert Safety(spec('a/effort'), Settings()).fallback(None) == [0.0]


def test_a_fallback_of_zero_stays_within_bounds_that_exclude_zero():
    assert Safety(spec('a/effort', low=0.25), Settings()).fallback(None) == [0.25]


def test_a_pose_goes_out_as_given():
    safety = Safety(spec('a/position', 'b/position'), Settings(fallback='pose', fallback_pose=(0.1, 0.2)))
    assert safety.fallback(None) == [0.1, 0.2]


@pytest.mark.parametrize(('pose', 'message'), [((), 'has 0 values'), ((5.0,), r'from -1 to 2'), ((math.nan,), 'nan')])
def test_a_pose_that_does_not_fit_is_refused(pose, message):
    with pytest.raises(ConfigError, match=message):
        Safety(spec('a/position'), Settings(fallback='pose', fallback_pose=pose))


def test_the_interface_gives_unnamed_actions_their_meaning_and_must_not_contradict_names():
    held = Safety(spec('action_0'), Settings(interface='position')).fallback([0.5])
    assert held == [0.5]
    with pytest.raises(ConfigError, match=r"'command\.interface' to 'effort'"):
        Safety(spec('a/effort'), Settings(interface='position'))


@pytest.mark.parametrize(
    ('rates', 'message'), [((1.0, 2.0), 'has 2 values and the policy commands 1'), ((-1.0,), 'has -1; it must be')]
)
def test_slew_rates_that_do_not_fit_are_refused(rates, message):
    with pytest.raises(ConfigError, match=message):
        Safety(spec('a/position'), Settings(slew_rate=rates))


def test_a_robot_starts_where_its_joints_are_measured_and_at_rest_otherwise():
    names = ('a/position', 'b/position', 'c/velocity')
    both = PolicySpec(('b/position', 'a/velocity'), ('', ''), names, ('',) * 3, (-1.0,) * 3, (2.0,) * 3, 0.1)
    safety = Safety(both, Settings(ramp_s=1.0))
    assert safety.origin(np.array([5.0, 9.0]), [0.3, 0.4, 0.5]) == [0.3, 2.0, 0.0]
    posed = Safety(both, Settings(fallback='pose', fallback_pose=(0.1, 0.2, 0.6)))
    assert posed.origin(np.array([-0.5, 9.0]), [1.0] * 3) == [0.1, -0.5, 0.6]
