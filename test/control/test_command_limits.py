import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.command_limits import RampAndSlew, Safety
from velora_ros.control.controller_settings import Settings
from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec


def spec(*names, low=-1.0, high=2.0):
    count = len(names)
    return PolicySpec(('obs_0',), ('',), names, ('',) * count, (low,) * count, (high,) * count, 0.1)


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2))
def test_a_clipped_action_is_inside(values):
    action = Safety(spec('a/effort', 'b/effort'), Settings()).clip(values)
    assert all(-1.0 <= value <= 2.0 for value in action)


def test_limits_derive_from_the_period_zero_switches_off_and_others_are_taken():
    safety = Safety(spec('a/effort'), Settings(max_state_age_s=-1, watchdog_timeout_s=0, max_gap_s=0.25))
    assert safety.max_state_age == pytest.approx(0.3)
    assert safety.watchdog_timeout == math.inf
    assert safety.max_gap == 0.25


def test_a_negative_limit_is_refused_with_what_would_be_valid():
    with pytest.raises(ConfigError, match=r"'max_gap_s' is -0.5 s; give a time above 0, 0 .* or -1"):
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


def test_a_servo_without_a_joint_s_name_is_held_unless_the_user_says_that_it_is_an_effort():
    gripper = dataclasses.replace(spec('action_0', 'b/effort'), action_holds=(True, False))
    assert Safety(gripper, Settings()).fallback([0.5, 0.5]) == [0.5, 0.0]
    assert Safety(gripper, Settings(interface='effort')).fallback([0.5, 0.5]) == [0.0, 0.0]


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
    ('rates', 'message'),
    [((1.0, 2.0), 'has 2 values, but the number of actions is 1'), ((-1.0,), 'has the value -1; give')],
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


# --- SI units


def scaled(*names, scale=(100.0, -2.0), offset=(0.0, 0.5)):
    return PolicySpec(
        ('b/position',), ('rad',), names, ('N', 'rad'), (-3.0, -1.0), (3.0, 1.0), 0.1,
        action_scale=scale, action_offset=offset,
    )  # fmt: skip


def test_commands_and_their_bounds_are_in_si_units_also_where_the_scale_is_negative():
    safety = Safety(scaled('a/effort', 'b/position'), Settings())
    assert safety.bounds == [(-300.0, 300.0), (-1.5, 2.5)]
    assert safety.bounded([1.0, 0.25])[1] == [100.0, 0.0]
    assert safety.bounded([-50.0, -50.0])[1] == [-300.0, 2.5]
    assert safety.in_si([4.0, 2.0]).tolist() == [400.0, -3.5], 'what was wanted, within the bounds or not'


def test_scale_and_offset_of_the_user_replace_those_of_the_file_one_by_one():
    spec = scaled('a/effort', 'b/position')
    assert Safety(spec, Settings(scale=(1.0, 4.0))).bounded([2.0, 1.0])[0] == [2.0, 4.5]
    assert Safety(spec, Settings(offset=(1.0, 0.0))).bounded([2.0, 1.0])[0] == [201.0, -2.0]
    unknown = PolicySpec(('obs_0',), ('',), ('action_0',), ('',), (-1.0,), (1.0,), 0.1)
    mapped = Safety(unknown, Settings(scale=(0.25,), offset=(-0.8,), interface='position'))
    assert mapped.bounds == [(pytest.approx(-1.05), pytest.approx(-0.55))]
    assert mapped.fallback(mapped.bounded([1.0])[1]) == [pytest.approx(-0.55)], 'a position is held'


@pytest.mark.parametrize(
    ('field', 'values', 'message'),
    [
        (
            'scale',
            (1.0, 2.0, 3.0),
            r"'command\.scale' has 3 values, but the number of actions is 2: a/effort, b/position",
        ),
        ('offset', (1.0,), r"'command\.offset' has 1 values, but the number of actions is 2"),
        ('scale', (1.0, 0.0), r"'command\.scale' has the value 0; give the SI value of one unit"),
        ('scale', (math.inf, 1.0), r"'command\.scale' has the value inf"),
        ('offset', (0.0, math.nan), r"'command\.offset' has the value nan; give a finite number"),
    ],
)
def test_a_scale_or_an_offset_that_does_not_fit_is_refused(field, values, message):
    with pytest.raises(ConfigError, match=message):
        Safety(scaled('a/effort', 'b/position'), Settings(**{field: values}))


def test_a_joint_that_counts_the_other_way_starts_where_it_is_in_the_robot_s_own_terms():
    names = ('a/position',)
    own = PolicySpec(names, ('rad',), names, ('rad',), (-1.0,), (1.0,), 0.1, action_scale=(2.0,))
    reversed_joint = Safety(own, Settings(scale=(-2.0,), offset=(0.1,), ramp_s=1.0))
    assert reversed_joint.origin(np.array([0.5]), [0.0]) == [pytest.approx(-0.4)]
    assert Safety(own, Settings(ramp_s=1.0)).origin(np.array([0.5]), [0.0]) == [0.5]


def test_a_pose_is_in_si_units_and_zero_is_zero_newtons():
    spec = scaled('a/effort', 'b/position')
    assert Safety(spec, Settings(fallback='pose', fallback_pose=(250.0, 2.0))).fallback(None) == [250.0, 2.0]
    with pytest.raises(ConfigError, match="has 301 for 'a/effort'; it must be from -300 to 300 N"):
        Safety(spec, Settings(fallback='pose', fallback_pose=(301.0, 2.0)))
    assert Safety(spec, Settings(fallback='zero')).fallback(None) == [0.0, 0.0]
    assert Safety(scaled('a/effort', 'b/position', offset=(0.0, 5.0)), Settings(fallback='zero')).fallback(None) == [
        0.0,
        3.0,
    ], 'the bound nearest to zero'


def test_a_slew_rate_is_in_si_units_and_the_ramp_starts_at_the_measured_joint():
    safety = Safety(scaled('a/effort', 'b/position'), Settings(slew_rate=(1000.0, 0.5)))
    motion = RampAndSlew()
    assert motion.next(safety.bounded([3.0, -1.0])[1], np.array([0.1]), 10.0, safety) == [0.0, 0.1]
    after = motion.next(safety.bounded([3.0, -1.0])[1], np.array([0.1]), 10.1, safety)
    assert after == [pytest.approx(100.0), pytest.approx(0.15)]
