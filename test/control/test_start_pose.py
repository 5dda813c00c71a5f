import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.start_pose import STEADY_S, StartPose

LIMITS = [(-1.0, 1.0), (-2.7, -0.8)]


def walk(start, speed=0.5, periods=400, follows=True):
    way, place, commands = StartPose([0.2, -1.8], [speed] * 2, LIMITS), list(start), []
    for i in range(periods):
        commands.append(way.next(place, 0.02 * i))
        place = list(commands[-1]) if follows else place
    return way, commands


places = st.tuples(st.floats(-1, 1), st.floats(-2.7, -0.8))


@given(places, st.floats(0.05, 3))
def test_it_moves_from_the_measured_pose_no_faster_than_its_speed_and_arrives(start, speed):
    way, commands = walk(start, speed, periods=2500)
    assert commands[0] == list(start)
    for before, after in itertools.pairwise(commands):
        assert all(abs(b - a) <= speed * 0.02 + 1e-12 for a, b in zip(before, after, strict=True))
    assert way.ready and commands[-1] == [0.2, -1.8]


@given(st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
def test_no_target_leaves_the_joint_s_limits(start):
    _, commands = walk(start)
    assert all(low <= value <= high for row in commands for value, (low, high) in zip(row, LIMITS, strict=True))


def test_a_robot_that_does_not_follow_is_never_ready():
    way, _ = walk((0.9, -1.8), follows=False)
    assert not way.ready


def test_it_is_ready_after_half_a_second_near_the_pose_and_not_any_more_when_it_was_pushed():
    way = StartPose([0.0], [10.0], [(-1.0, 1.0)], reach=[0.8])
    assert not any(way.next([0.25], t) is None or way.ready for t in (0.0, 0.2, 0.4)), 'its weight bends the servos'
    way.next([0.25], 0.05 + STEADY_S + 0.5)
    assert way.ready
    way.next([0.5], 1.2)
    assert not way.ready


def test_a_pause_allows_no_jump():
    way = StartPose([1.0], [0.5], [(-1.0, 1.0)])
    way.next([0.0], 0.0)
    assert math.isclose(way.next([0.0], 3600.0)[0], 0.05)
