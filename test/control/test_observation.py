import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.observation import JointObservation, check_vector, joint_fields, joint_signal, reads_joints
from velora_ros.errors import ConfigError, ObservationError

NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
MS = 1_000_000


def update(joints, names, stamp=0, **fields):
    empty = np.empty(0)
    values = [np.asarray(fields.get(kind, empty), dtype=float) for kind in ('position', 'velocity', 'effort')]
    return joints.update(list(names), *values, stamp)


@given(st.permutations(['slider', 'hinge', 'elbow', 'wrist']), st.lists(st.floats(-9, 9), min_size=8, max_size=8))
def test_values_are_found_by_name_in_any_order_and_among_others(order, values):
    joints = JointObservation(NAMES, 0.1)
    assert update(joints, order, position=values[:4], velocity=values[4:])
    slider, hinge = order.index('slider'), order.index('hinge')
    expected = [values[slider], values[hinge], values[4 + slider], values[4 + hinge]]
    assert joints.read(0).tolist() == expected


def test_the_order_may_change_between_messages():
    joints = JointObservation(NAMES, 0.1)
    update(joints, ['slider', 'hinge'], position=[1, 2], velocity=[3, 4])
    update(joints, ['hinge', 'slider'], position=[5, 6], velocity=[7, 8])
    assert joints.read(0).tolist() == [6, 5, 8, 7]


def test_partial_messages_merge_and_only_the_first_signal_triggers():
    joints = JointObservation(NAMES, 0.1)
    assert update(joints, ['slider'], 10 * MS, position=[1], velocity=[2])
    assert not update(joints, ['hinge'], 15 * MS, position=[3], velocity=[4])
    assert update(joints, ['slider'], 20 * MS, position=[5], velocity=[6])
    assert joints.read(20 * MS).tolist() == [5, 3, 6, 4]


def test_messages_without_our_joints_are_ignored():
    assert not update(JointObservation(NAMES, 0.1), ['gripper'], position=[1.0])


def test_a_signal_never_seen_is_named_even_when_it_is_the_first():
    joints = JointObservation(NAMES, 0.1)
    assert update(joints, ['hinge'], position=[1.0])
    with pytest.raises(ObservationError, match="never had 'slider/position', 'slider/velocity', 'hinge/velocity'"):
        joints.read(0)


@pytest.mark.parametrize('offset', [-101, 101])
def test_a_signal_too_far_in_time_from_the_trigger_is_named(offset):
    joints = JointObservation(NAMES, 0.1)
    update(joints, ['hinge'], 1000 * MS, position=[1], velocity=[1])
    update(joints, ['slider'], (1000 + offset) * MS, position=[1], velocity=[1])
    with pytest.raises(ObservationError, match=r"'hinge/position', 'hinge/velocity' is more than 0\.1 s"):
        joints.read((1000 + offset) * MS)


def test_what_was_forgotten_must_be_seen_again():
    joints = JointObservation(NAMES, 0.1)
    update(joints, ['slider', 'hinge'], position=[1, 2], velocity=[3, 4])
    joints.forget()
    with pytest.raises(ObservationError, match='never had'):
        joints.read(0)


def test_a_field_of_another_length_than_the_names_is_refused_whole():
    joints = JointObservation(NAMES, 0.1)
    with pytest.raises(ObservationError, match='2 names and 1 values of velocity'):
        update(joints, ['slider', 'hinge'], position=[1, 2], velocity=[3])


def test_a_vector_of_the_wrong_length_is_refused_with_the_names_that_fit():
    with pytest.raises(ObservationError, match=r'has 3 values and the policy reads 4: slider/position, hinge/position'):
        check_vector(np.zeros(3), NAMES)


def test_joint_names_may_contain_slashes_and_others_are_no_signals():
    assert joint_signal('arm/left/elbow/effort') == ('arm/left/elbow', 'effort')
    assert not any(joint_signal(name) for name in ('obs_0', 'elbow/torque', '/position', 'position'))
    assert reads_joints(NAMES) and not reads_joints((*NAMES, 'obs_4'))


def test_fields_rename_the_robot_s_joints_in_the_policy_s_order():
    fields = ['joints:cart/position', 'joints:pole/position', 'joints:cart/velocity', 'joints:pole/velocity']
    assert joint_fields(NAMES, fields) == ['cart/position', 'pole/position', 'cart/velocity', 'pole/velocity']
    assert joint_fields(NAMES, []) == list(NAMES)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (['joints:cart/position'], 'has 1 entries and the policy reads 4: slider/position'),
        (['joints:cart/positon'] * 4, "Did you mean 'position'"),
        (['imu:angular_velocity.z'] * 4, 'a field is joints:<joint>/<interface>'),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        joint_fields(NAMES, fields)
