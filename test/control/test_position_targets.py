import math

from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.position_targets import MovingTargets

T = 0.02


def test_targets_begin_where_the_joints_are_and_move_at_the_speed_of_the_action():
    targets = MovingTargets(T, [], [(-3.0, 3.0)])
    assert targets.next([2.0], [0.5]) == [0.54]
    assert math.isclose(targets.next([2.0], [0.5])[0], 0.58)
    targets.begin()
    assert targets.next([0.0], [-1.0]) == [-1.0]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-4, 4)), max_size=30), st.floats(0.01, 1))
def test_no_target_leaves_the_limits_or_lies_farther_from_the_joint_than_its_effort_reaches(steps, reach):
    targets = MovingTargets(T, [reach], [(-3.0, 3.0)])
    for speed, place in steps:
        (target,) = targets.next([speed], [place])
        assert -3.0 <= target <= 3.0
        assert abs(target - place) <= reach + 1e-9 or abs(target) == 3.0
