import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from velora_ros.contract.orientations import gravity, matrices, rotation, to_frame

angles = st.tuples(*[st.floats(-3.1, 3.1)] * 3)
quaternions = arrays(np.float64, (5, 4), elements=st.floats(-1, 1)).filter(
    lambda q: (np.linalg.norm(q, axis=1) > 0.1).all()
)


@given(quaternions)
def test_matrices_of_unit_quaternions_are_rotations_of_any_leading_shape(q):
    q = q / np.linalg.norm(q, axis=1, keepdims=True)
    axes = matrices(q)
    np.testing.assert_allclose(axes @ np.swapaxes(axes, 1, 2), np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12)
    assert (matrices(q[2]) == axes[2]).all()


@given(quaternions)
def test_gravity_is_the_world_s_down_in_the_body_s_frame(q):
    axes = matrices(q / np.linalg.norm(q, axis=1, keepdims=True))
    down = np.broadcast_to([0.0, 0.0, -1.0], (5, 3))
    np.testing.assert_allclose(gravity(axes), to_frame(axes, down), atol=1e-12)


@given(angles)
def test_a_rotation_turns_about_fixed_axes_in_the_order_roll_pitch_yaw(rpy):
    roll, pitch, yaw = (rotation(*(angle if i == axis else 0 for i in range(3))) for axis, angle in enumerate(rpy))
    np.testing.assert_allclose(rotation(*rpy), yaw @ pitch @ roll, atol=1e-12)
    np.testing.assert_allclose(rotation(0, 0, np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
