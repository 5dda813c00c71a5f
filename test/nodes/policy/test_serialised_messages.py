"""Decoded bytes equal the message, for any joint state; encoded bytes equal the message of a vector."""

import struct
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from velora_ros.errors import ObservationError
from velora_ros.nodes.policy.serialised_messages import JointStateDecoder, VectorEncoder
from velora_ros.nodes.ros import conversions

pytestmark = pytest.mark.ros


texts = st.text(st.characters(exclude_characters='\0', codec='utf-8'), max_size=9)


@st.composite
def joint_states(draw):
    names = draw(st.lists(texts, max_size=5))
    message = JointState(name=names)
    message.header.frame_id = draw(texts)
    message.header.stamp.sec = draw(st.integers(-(2**31), 2**31 - 1))
    message.header.stamp.nanosec = draw(st.integers(0, 2**32 - 1))
    for field in ('position', 'velocity', 'effort'):
        size = draw(st.sampled_from([0, len(names), 3]))
        setattr(message, field, draw(st.lists(st.floats(allow_nan=False), min_size=size, max_size=size)))
    return message


def content(message):
    stamp = conversions.to_nanoseconds(message.header.stamp)
    return stamp, (message.name, message.position, message.velocity, message.effort)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(joint_states(), st.integers(1, 3)), max_size=6))
def test_decoded_bytes_equal_the_message(states):
    decoder = JointStateDecoder()
    for state, times in states:
        for _ in range(times):
            assert decoder.decode(serialize_message(state), 0) == content(state)


def state(names=('elbow', 'wrist'), **fields):
    return JointState(name=list(names), **{field: [float(v) for v in values] for field, values in fields.items()})


def test_only_a_new_layout_is_deserialised(monkeypatch):
    decoder = JointStateDecoder()
    decoder.decode(serialize_message(state(position=[1, 2], velocity=[3, 4])), 0)
    monkeypatch.setattr('velora_ros.nodes.policy.serialised_messages.deserialize_message', None)
    assert decoder.decode(serialize_message(state(position=[5, 6], velocity=[7, 8])), 0)[1][2] == array('d', [7, 8])
    for other in (
        state(position=[5, 6], effort=[7, 8]),
        state(('elbow', 'wrisd'), position=[5, 6], velocity=[7, 8]),
        state(position=[5, 6]),
        state(position=[5, 6], velocity=[7, 8], effort=[9, 10]),
    ):
        with pytest.raises(ObservationError):
            decoder.decode(serialize_message(other), 0)


def test_nan_and_infinity_are_read_as_they_are(monkeypatch):
    decoder, expected = JointStateDecoder(), [np.nan, -np.inf]
    for _ in range(2):
        np.testing.assert_array_equal(decoder.decode(serialize_message(state(position=expected)), 0)[1][1], expected)
        monkeypatch.setattr('velora_ros.nodes.policy.serialised_messages.deserialize_message', None)


def test_the_other_byte_order_is_read_too():
    """As a machine of another kind sends it."""
    body = struct.pack('>iI I4s II4s IdII', 7, 8, 1, b'', 1, 2, b'a', 1, 0.5, 0, 0)
    decoder = JointStateDecoder()
    for _ in range(2):
        joints = decoder.decode(b'\0\0\0\0' + body, 0)
        assert (joints[0], joints[1][0], list(joints[1][1])) == (7_000_000_008, ['a'], [0.5])


@pytest.mark.parametrize('data', [b'', b'\0\1\0\0', b'\0\1\0\0' + b'\xff' * 40, bytes(9)])
def test_bytes_that_are_not_a_joint_state_are_refused(data):
    decoder = JointStateDecoder()
    decoder.decode(serialize_message(state(position=[1, 2])), 0)
    with pytest.raises(ObservationError, match='cannot be read'):
        decoder.decode(data, 0)


def test_padding_bytes_may_have_any_value():
    decoder, message = JointStateDecoder(), state(('a', 'bc'), position=[1, 2])
    data = bytearray(serialize_message(message))
    at = data.index(b'a\0') + 2
    for filling in range(20):
        data[at : at + 2] = bytes([filling, filling])
        for _ in range(2):
            assert decoder.decode(bytes(data), 0) == content(message)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_encoded_bytes_equal_the_serialised_message(values):
    data = VectorEncoder(len(values)).encode(values)
    assert deserialize_message(data, Float64MultiArray) == Float64MultiArray(data=values)
