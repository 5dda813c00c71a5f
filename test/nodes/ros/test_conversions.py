"""Round trips from numpy to messages and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.nodes.ros import conversions

arrays = st.lists(st.floats(allow_nan=False), max_size=12).map(lambda values: np.array(values, dtype=np.float64))


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_a_stamp_survives_a_round_trip(nanoseconds):
    assert conversions.to_nanoseconds(conversions.to_stamp(nanoseconds)) == nanoseconds


@given(arrays)
def test_a_vector_survives_a_round_trip(values):
    assert np.array_equal(conversions.from_vector(conversions.to_vector(values)), values)


@given(arrays, arrays)
def test_a_message_can_be_filled_again(first, second):
    message = conversions.to_vector(first)
    assert conversions.fill_vector(message, second) is message
    assert np.array_equal(conversions.from_vector(message), second)


@given(st.lists(st.text('ab/_', min_size=1), max_size=4), st.integers(0, 10**18))
def test_a_joint_state_keeps_every_field_and_leaves_absent_ones_empty(names, stamp):
    position = np.arange(len(names), dtype=float)
    message = conversions.to_joint_state(names, position, np.empty(0), -position, stamp)
    assert message.name == names
    assert [field.tolist() for field in (message.position, message.velocity, message.effort)] == [
        position.tolist(),
        [],
        (-position).tolist(),
    ]
    assert conversions.to_nanoseconds(message.header.stamp) == stamp


def test_a_strided_array_is_sent_in_order():
    values = np.arange(10.0)[::3]
    assert conversions.from_vector(conversions.to_vector(values)).tolist() == [0.0, 3.0, 6.0, 9.0]


def test_the_values_of_a_node_are_found_by_its_name_whatever_its_task():
    statuses = [
        conversions.to_diagnostic(name, 'ok', '', {'n': number})
        for number, name in enumerate(('left/node: control', 'node: control', 'node2: control'))
    ]
    message = conversions.to_diagnostics(statuses[0], 0)
    message.status = statuses
    assert conversions.from_diagnostics(message, 'node') == {'n': '1'}
    assert conversions.from_diagnostics(message, 'left/node') == {'n': '0'}
    assert conversions.from_diagnostics(message, 'left') == {}


def test_the_robot_of_diagnostics_is_the_namespace_or_else_the_environment():
    assert conversions.hardware_id('/left/arm', 'Reacher-v5') == 'left/arm'
    assert conversions.hardware_id('/', 'Reacher-v5') == 'Reacher-v5'


def test_a_diagnostic_has_its_values_as_text():
    status = conversions.to_diagnostic('a/b', 'warn', 'mind', {'on': True, 'rate_hz': 24.99999999, 'n': 3}, 'id')
    assert (status.level, status.name, status.message, status.hardware_id) == (b'\x01', 'a/b', 'mind', 'id')
    assert {pair.key: pair.value for pair in status.values} == {'on': 'true', 'rate_hz': '25', 'n': '3'}
