"""Where frames are in one another."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.contract.frame_tree import HERE, FrameTree, Pose, composed, inverted
from velora_ros.contract.orientations import matrices
from velora_ros.errors import ObservationError

QUARTER = (math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5))  # to the left, about z
NONE = (1.0, 0.0, 0.0, 0.0)
NUMBERS = st.floats(-10, 10)
POSES = st.builds(
    lambda place, turn: Pose(np.array(place), np.array(turn) / np.linalg.norm(turn)),
    st.tuples(NUMBERS, NUMBERS, NUMBERS),
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS).filter(lambda turn: np.linalg.norm(turn) > 0.1),
)


def homogeneous(pose):
    """The pose as a 4 x 4 matrix."""
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = matrices(pose.orientation), pose.position
    return whole


@given(POSES, POSES)
def test_poses_compose_as_their_matrices_do(outer, inner):
    np.testing.assert_allclose(homogeneous(composed(outer, inner)), homogeneous(outer) @ homogeneous(inner), atol=1e-9)
    np.testing.assert_allclose(homogeneous(inverted(outer)), np.linalg.inv(homogeneous(outer)), atol=1e-9)


def test_a_goal_on_the_map_is_found_in_the_frame_of_the_odometry():
    tree = FrameTree()
    tree.update('map', 'odom', (1.0, 0.0, 0.0), QUARTER)
    tree.update('odom', 'base_link', (0.0, 2.0, 0.0), NONE)
    pose = tree.pose('map', within='odom')
    goal = composed(pose, Pose(np.array([1.0, 3.0, 0.5]), np.array(NONE)))
    np.testing.assert_allclose(goal.position, [3.0, 0.0, 0.5], atol=1e-12)  # 3 m ahead of odom, which looks along y
    np.testing.assert_allclose(tree.pose('/base_link', within='map').position, [-1.0, 0.0, 0.0], atol=1e-12)


def test_branches_meet_in_a_common_frame_and_the_newest_pose_counts():
    tree = FrameTree()
    tree.update('world', 'left', (9.0, 9.0, 9.0), NONE)
    tree.update('world', 'left', (0.0, 1.0, 0.0), (2.0, 0.0, 0.0, 0.0))
    tree.update('world', 'right', (0.0, -1.0, 0.0), NONE)
    np.testing.assert_allclose(tree.pose('left', within='right').position, [0.0, 2.0, 0.0])
    np.testing.assert_allclose(homogeneous(tree.pose('left', within='left')), homogeneous(HERE))


def test_frames_that_are_not_connected_are_refused_with_those_that_are_known():
    tree = FrameTree()
    with pytest.raises(
        ObservationError,
        match=r"does not connect the frames 'map' and 'odom'; publish the missing transforms\. tf has no frames yet",
    ):
        tree.pose('map', within='odom')
    tree.update('odom', 'base_link', (0.0, 0.0, 0.0), NONE)
    with pytest.raises(ObservationError, match='tf has base_link, odom'):
        tree.pose('map', within='odom')


def test_frames_in_a_circle_end_the_search():
    tree = FrameTree()
    tree.update('a', 'b', (1.0, 0.0, 0.0), NONE)
    tree.update('b', 'a', (1.0, 0.0, 0.0), NONE)
    with pytest.raises(ObservationError):
        tree.pose('a', within='c')


@pytest.mark.parametrize(
    ('place', 'turn'),
    [((math.nan, 0, 0), NONE), ((0, 0, math.inf), NONE), ((0, 0, 0), (0,) * 4), ((0, 0, 0), [math.nan] * 4)],
)
def test_a_pose_that_is_not_one_leaves_the_old_one(place, turn):
    tree = FrameTree()
    tree.update('odom', 'base', (1.0, 2.0, 3.0), NONE)
    with pytest.raises(ObservationError, match="'base' in 'odom' has a number that is not finite, or a zero"):
        tree.update('odom', 'base', place, turn)
    assert tree.pose('base', within='odom').position.tolist() == [1.0, 2.0, 3.0]
