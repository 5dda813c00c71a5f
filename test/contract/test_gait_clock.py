import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.contract.gait_clock import moves, sine_and_cosine, strides


@given(st.floats(0, 1e5), st.floats(0.1, 2.0), st.floats(0, 1))
def test_a_clock_repeats_after_each_stride_and_its_hand_has_length_one(time, period, phase):
    now, later = (sine_and_cosine(strides(t, period, phase), True) for t in (time, time + period))
    np.testing.assert_allclose(np.hypot(*now), 1.0)
    np.testing.assert_allclose(now, later, atol=1e-5)


def test_it_stands_while_the_command_is_to_stand():
    command = np.array([[0.05, -0.1, 0.1], [0.0, -0.2, 0.0]])
    assert moves(command, 0.1).tolist() == [False, True]
    hands = sine_and_cosine(strides(np.array([0.125, 0.125]), 0.5), moves(command, 0.1))
    np.testing.assert_allclose(hands, [[0, 0], [1, 0]], atol=1e-12)
