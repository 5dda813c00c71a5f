"""The twists of a hands-free run."""

import numpy as np

from velora_ros.tasks.command_pattern import HOLD_S, twist_pattern

LOW, HIGH = (-0.5, -0.4, -1.0), (1.0, 0.4, 1.0)


def test_a_minute_covers_the_ends_of_each_axis_and_begins_with_standing():
    pattern = twist_pattern(LOW, HIGH)
    assert len(pattern) * HOLD_S == 60
    assert (pattern[0] == 0).all()
    assert (pattern.min(axis=0) == LOW).all() and (pattern.max(axis=0) == HIGH).all()


def test_it_stays_in_the_range_also_where_an_axis_is_not_used():
    pattern = twist_pattern((0.0, 0.0, -1.0), (1.0, 0.0, 1.0))
    assert (pattern[:, 0] >= 0).all()
    assert (pattern[:, 1] == 0).all()
    assert not np.signbit(pattern[0]).all()
