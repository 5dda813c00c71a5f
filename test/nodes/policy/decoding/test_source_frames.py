"""Goals in another frame than the robot. ``tf2_msgs`` need not be installed: its message is a list of transforms."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from velora_ros.contract.frame_tree import FrameTree
from velora_ros.errors import ObservationError
from velora_ros.nodes.policy.decoding.decoders import MessageDecoder
from velora_ros.nodes.policy.decoding.reader_registry import make_reader
from velora_ros.nodes.policy.decoding.source_frames import SourceFrames
from velora_ros.nodes.policy.frame_listener import take
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.spec import Source

pytestmark = pytest.mark.ros

POSE, POINT = 'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/PointStamped'
ODOMETRY = 'nav_msgs/msg/Odometry'
XYZ = ['position.x', 'position.y', 'position.z']


def transform(parent, child, x=0.0, yaw=0.0):
    """Where ``child`` is in ``parent``."""
    message = interface_class('geometry_msgs/msg/TransformStamped')()
    message.header.frame_id, message.child_frame_id = parent, child
    message.transform.translation.x = x
    message.transform.rotation.w, message.transform.rotation.z = math.cos(yaw / 2), math.sin(yaw / 2)
    return message


def message(kind, frame, x=0.0, y=0.0):
    found = interface_class(kind)()
    found.header.frame_id = frame
    place = found.point if kind == POINT else found.pose.pose.position if kind == ODOMETRY else found.pose.position
    place.x, place.y = x, y
    return found


class Robot:
    """An odometry and a goal, as policy_node decodes them."""

    def __init__(self, tree, kind=POSE, *, demanded=''):
        self.frames, self.warnings = SourceFrames(tree), []
        self.tree = tree
        fields = {'odom': XYZ, 'goal': [*XYZ, *(['orientation.yaw'] if kind == POSE else [])]}
        kinds = {'odom': 'Odometry', 'goal': kind}
        self.decoders = {
            name: MessageDecoder(
                Source(name, name, kinds[name], frame=demanded if name == 'goal' else ''),
                make_reader(kinds[name], fields[name]),
                self.frames,
            )
            for name in kinds
        }
        self.frames.goals = {'goal'}

    def hear(self, *transforms):
        take(SimpleNamespace(transforms=transforms), self.tree, self.warnings.append)

    def decode(self, name, one):
        return np.round(self.decoders[name].decode(one, 1)[1], 9).tolist()


def test_a_goal_on_the_map_is_read_in_the_frame_of_the_odometry():
    robot = Robot(FrameTree())
    robot.hear(transform('map', 'odom', x=1.0, yaw=math.pi / 2))
    robot.decode('odom', message(ODOMETRY, 'odom'))
    assert robot.decode('goal', message(POSE, 'map', 1.0, 3.0)) == pytest.approx([3.0, 0.0, 0.0, -math.pi / 2])
    assert robot.decode('goal', message(POSE, 'odom', 1.0, 3.0)) == [1.0, 3.0, 0.0, 0.0]
    assert robot.decode('odom', message(ODOMETRY, 'odom', 2.0)) == [2.0, 0.0, 0.0]


def test_a_clicked_point_is_converted_too_and_into_a_frame_that_is_demanded():
    robot = Robot(FrameTree(), POINT, demanded='odom')
    robot.hear(transform('map', 'odom', x=1.0))
    assert robot.decode('goal', message(POINT, 'map', 1.5)) == [0.5, 0.0, 0.0]


def test_the_newest_transform_counts_and_a_bad_one_is_left_out_with_a_warning():
    robot = Robot(FrameTree())
    robot.decode('odom', message(ODOMETRY, 'odom'))
    robot.hear(transform('map', 'odom', x=1.0), transform('map', 'odom', x=2.0))
    robot.hear(transform('map', 'odom', x=math.nan))
    assert robot.decode('goal', message(POSE, 'map', 2.5))[0] == 0.5
    assert robot.warnings == [
        "the pose of the frame 'odom' in 'map' has a number that is not finite, or a zero quaternion; "
        'correct the node that publishes it.'
    ]


def test_a_goal_in_an_unknown_frame_is_refused_and_the_odometry_stays_usable():
    robot = Robot(FrameTree())
    robot.hear(transform('map', 'odom'))
    robot.decode('odom', message(ODOMETRY, 'odom'))
    with pytest.raises(ObservationError, match=r"'goal' is in the frame 'moon', .* tf has map, odom"):
        robot.decode('goal', message(POSE, 'moon'))
    assert robot.decode('odom', message(ODOMETRY, 'odom', 1.0)) == [1.0, 0.0, 0.0]


def test_without_tf_or_for_what_is_no_goal_frames_must_agree():
    robot = Robot(None)
    robot.decode('odom', message(ODOMETRY, 'odom'))
    with pytest.raises(ObservationError, match=r"'odom' is in 'odom'; publish both .* only if tf2_msgs is installed"):
        robot.decode('goal', message(POSE, 'map'))
    with pytest.raises(ObservationError, match=r'publish it in that frame\. .* only if tf2_msgs is installed'):
        Robot(None, demanded='map').decode('goal', message(POSE, 'odom'))
    robot = Robot(FrameTree())
    robot.hear(transform('map', 'odom'))
    robot.decode('goal', message(POSE, 'map'))  # nothing is known of the robot yet
    with pytest.raises(ObservationError, match="'odom' is in the frame 'odom', but 'goal' is in 'map'"):
        robot.decode('odom', message(ODOMETRY, 'odom'))
    assert robot.decode('goal', message(POSE, 'map', 1.0))[0] == 1.0, 'sent again, it is converted'
    assert robot.decode('odom', message(ODOMETRY, 'odom', 1.0)) == [1.0, 0.0, 0.0]
