"""Imu messages are read from their bytes as rclpy would read them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import serialize_message

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.imu_decoder import FIELDS, ImuDecoder
from velora_ros.nodes.policy.decoding.reader_registry import make_reader
from velora_ros.nodes.ros.message_types import interface_class

pytestmark = pytest.mark.ros


def imu(frame='imu_link', orientation=(0.0, 0.0, 0.0, 1.0), turning=(0.1, 0.2, 0.3), sec=5):
    message = interface_class('sensor_msgs/msg/Imu')()
    message.header.frame_id, message.header.stamp.sec, message.header.stamp.nanosec = frame, sec, 7 * bool(sec)
    q, w, a = message.orientation, message.angular_velocity, message.linear_acceleration
    q.x, q.y, q.z, q.w = orientation
    w.x, w.y, w.z = turning
    a.x, a.y, a.z = 1.0, 2.0, 9.8
    return message


@given(
    st.text(max_size=20).filter(lambda text: '\0' not in text),
    st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.01),
    st.tuples(*[st.floats(-20, 20)] * 3),
)
def test_it_reads_what_the_paths_of_the_message_read_whatever_the_frame_is_called(frame, orientation, turning):
    message = imu(frame, orientation, turning)
    stamp, values = ImuDecoder(FIELDS).decode(serialize_message(message), 99)
    assert stamp == 5_000_000_007
    np.testing.assert_allclose(values, make_reader('Imu', FIELDS).read(message), atol=1e-9)


def test_a_message_without_a_stamp_is_from_now_and_fields_keep_their_order():
    decoder = ImuDecoder(['angular_velocity.z', 'orientation.gravity.z', 'angular_velocity.x'])
    stamp, values = decoder.decode(serialize_message(imu(sec=0)), 99)
    assert (stamp, values) == (99, [0.3, -1.0, 0.1])


def test_parts_that_the_message_declares_unknown_are_refused_if_they_are_read():
    message = imu()
    message.orientation_covariance[0] = -1.0
    assert ImuDecoder(['angular_velocity.x']).decode(serialize_message(message), 0)
    with pytest.raises(ObservationError, match='no orientation: its first covariance is -1'):
        ImuDecoder(['orientation.gravity.x']).decode(serialize_message(message), 0)


@pytest.mark.parametrize('orientation', [(0.0, 0.0, 0.0, 0.0), (float('nan'), 0.0, 0.0, 1.0)])
def test_an_invalid_orientation_is_refused(orientation):
    with pytest.raises(ObservationError, match='but a quaternion must have length 1'):
        ImuDecoder(['orientation.gravity.x']).decode(serialize_message(imu(orientation=orientation)), 0)


@pytest.mark.parametrize('cut', [0, 3, 20, 100, 300])
def test_bytes_that_are_no_imu_are_refused(cut):
    with pytest.raises(ObservationError, match='cannot be read'):
        ImuDecoder(FIELDS).decode(serialize_message(imu())[:cut], 0)


def test_a_mounting_turns_all_vectors_and_must_be_three_angles():
    _, values = ImuDecoder(FIELDS, (np.pi, 0.0, 0.0)).decode(serialize_message(imu()), 0)
    np.testing.assert_allclose(values, [0, 0, 1, 0.1, -0.2, -0.3, 1.0, -2.0, -9.8], atol=1e-9)
    with pytest.raises(ConfigError, match='give roll, pitch and yaw'):
        ImuDecoder(FIELDS, (1.0,))
