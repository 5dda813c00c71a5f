import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.contract.relative_positions import RelativePosition, RelativePositions, turned
from velora_ros.contract.relative_positions import parse_relative_position as parse
from velora_ros.errors import ConfigError

measured = functools.partial(RelativePositions, [0, 1, 2])


def test_a_field_says_from_where_and_in_which_axes_a_position_is_seen():
    way = parse('position.relative_to(tool).turned_by(shoulder_pan_joint).within(0.1).y')
    assert (way.origin, way.in_frame, way.joint, way.within, way.axis) == ('tool', False, 'shoulder_pan_joint', 0.1, 1)
    assert parse('position.in_frame_of(odom).x').in_frame


@pytest.mark.parametrize('text', ['position.x', 'pose.position.x', 'ranges[0]', 'min(ranges[0:3])', 'hip/position'])
def test_fields_of_one_message_are_left_to_it(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('position.seen_from(odom).x', "unknown step 'seen_from'; the valid steps are relative_to"),
        ('position.relative_to(a).relative_to(b).x', 'two positions'),
        ('position.relative_to(a).in_frame_of(b).x', 'two positions'),
    ],
)
def test_an_invalid_way_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


numbers = st.floats(-5, 5)


@given(st.lists(numbers, min_size=3, max_size=3), st.lists(numbers, min_size=3, max_size=3), st.floats(-3, 3))
def test_a_goal_seen_by_a_robot_that_turns_lies_at_its_distance_and_bearing(goal, robot, yaw):
    values = np.array([[*goal, *robot, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2), 0.0, 0.0]])
    measured(origin=[3, 4, 5], orientation=[6, 7, 8, 9], joint=[], within=np.inf, axes=[0, 1], entries=[10, 11])(values)
    away = np.subtract(goal, robot)[:2]
    expected = [away @ [np.cos(yaw), np.sin(yaw)], away @ [-np.sin(yaw), np.cos(yaw)]]
    np.testing.assert_allclose(values[0, 10:], expected, atol=1e-9)


@given(numbers, numbers, st.floats(-7, 7))
def test_axes_that_turn_with_a_joint_are_those_of_a_rotation_about_z(x, y, angle):
    back = turned(turned(np.array([x, y, 1.0]), angle), -angle)
    np.testing.assert_allclose(back, [x, y, 1.0], atol=1e-9)


def test_an_invalid_orientation_gives_nan_and_a_far_goal_is_clipped():
    values = np.zeros(10)
    measured(origin=[], orientation=[3, 4, 5, 6], joint=[], within=np.inf, axes=[0], entries=[9])(values)
    assert np.isnan(values[9])
    values = np.array([3.0, -3.0, 0.1, 0, 0, 0])
    measured(origin=[], orientation=[], joint=[], within=0.5, axes=[0, 1, 2], entries=[3, 4, 5])(values)
    assert values[3:].tolist() == [0.5, -0.5, 0.1]


def test_steps_of_a_field_are_read_in_any_order():
    way = parse('position.relative_to(tool).turned_by(pan).within(0.1).y')
    assert (
        way
        == RelativePosition('tool', False, 'pan', 0.1, 1)
        == parse('position.within(0.1).turned_by(pan).relative_to(tool).y')
    )
    assert parse('position.in_frame_of(odom).x') == RelativePosition('odom', True)
    assert parse('position.x') is None


@pytest.mark.parametrize('distance', ['-1', '0', 'nan', 'inf', 'near', ''])
def test_a_distance_that_is_none_is_refused(distance):
    with pytest.raises(ConfigError, match=r'give a distance above 0 in m'):
        parse(f'position.within({distance}).x')


def test_a_position_is_clipped_after_it_was_turned():
    values = np.array([[1.0, 0.0, 0.5, 0.0, 0.04, 0.0, np.pi / 2, 0.0, 0.0, 0.0]])
    ways = measured(origin=[3, 4, 5], orientation=[], joint=[6], within=0.1, axes=[0, 1, 2], entries=[7, 8, 9])
    ways(values)
    np.testing.assert_allclose(values[0, 7:], [-0.04, -0.1, 0.1])
