from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.observation import (
    JointObservation,
    Observation,
    Unwrap,
    VectorObservation,
    joint_signal,
    reads_joints,
)
from velora_ros.errors import ObservationError

NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
MS = 1_000_000


def update(joints, names, stamp=0, **fields):
    values = [array('d', fields.get(kind, ())) for kind in ('position', 'velocity', 'effort')]
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


def test_messages_without_our_joints_are_ignored_once_one_had_some():
    joints = JointObservation(NAMES, 0.1)
    update(joints, ['slider'], position=[1.0])
    assert not update(joints, ['gripper'], position=[1.0])
    joints.forget()
    assert not update(joints, ['gripper'], position=[1.0])


@pytest.mark.parametrize(('names', 'fields'), [(['gripper', 'wrist'], {'position': [1, 2]}), (['slider', 'hinge'], {})])
def test_who_publishes_nothing_of_ours_is_told_what_would_fit(names, fields):
    with pytest.raises(
        ObservationError, match=rf"tell of {', '.join(names)} and .* 'slider/position', 'hinge/position'"
    ):
        update(JointObservation(NAMES, 0.1), names, **fields)


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


def test_several_sources_fill_their_own_places():
    joints, imu = JointObservation(['hinge/position'], 0.1), VectorObservation(['rate', 'tilt'], 0.1, 'imu')
    observation = Observation([(joints, [1]), (imu, [2, 0])])
    update(joints, ['hinge'], 100 * MS, position=[5.0])
    imu.update((1.0, 2.0), 90 * MS)
    assert observation.read(100 * MS).tolist() == [2.0, 5.0, 1.0]


def test_a_vector_of_the_wrong_length_is_refused_with_the_names_that_fit():
    vector = VectorObservation(NAMES, 0.1, 'observation')
    with pytest.raises(ObservationError, match=r'has 3 values and the policy reads 4: slider/position, hinge/position'):
        vector.update(np.zeros(3), 0)


def test_a_source_that_never_spoke_or_spoke_too_long_ago_is_named():
    joints, imu = JointObservation(['hinge/position'], 0.1), VectorObservation(['rate'], 0.1, 'imu')
    observation = Observation([(joints, [0]), (imu, [1])])
    update(joints, ['hinge'], 1000 * MS, position=[5.0])
    with pytest.raises(ObservationError, match=r"nothing came yet from the source 'imu' \(rate\)"):
        observation.read(1000 * MS)
    imu.update([1.0], 899 * MS)
    with pytest.raises(
        ObservationError, match=r"the source 'imu' is more than 0.1 s away .*'observation.imu.max_age_s'"
    ):
        observation.read(1000 * MS)
    imu.update([1.0], 901 * MS)
    assert observation.read(1000 * MS).tolist() == [5.0, 1.0]
    observation.forget()
    with pytest.raises(ObservationError, match='never had'):
        observation.read(1000 * MS)


def test_a_whole_joint_state_of_another_time_than_the_trigger_is_still_checked():
    imu, joints = VectorObservation(['rate'], 0.1, 'imu'), JointObservation(['hinge/position'], 0.1)
    update(joints, ['hinge'], 0, position=[5.0])
    imu.update([1.0], 1000 * MS)
    with pytest.raises(ObservationError, match="'hinge/position' is more than"):
        Observation([(imu, [0]), (joints, [1])]).read(1000 * MS)


def test_joint_names_may_contain_slashes_and_others_are_no_signals():
    assert joint_signal('arm/left/elbow/effort') == ('arm/left/elbow', 'effort')
    assert not any(joint_signal(name) for name in ('obs_0', 'elbow/torque', '/position', 'position'))
    assert reads_joints(NAMES) and not reads_joints((*NAMES, 'obs_4'))


@pytest.mark.parametrize(('low', 'first'), [(-np.pi, 3.0), (0.0, 0.5)])
def test_an_unwrapped_angle_follows_the_wheel_over_many_turns_both_ways(low, first):
    """Whatever interval the driver wraps to."""
    unwrap = Unwrap([1])
    angles = first + np.concatenate([np.arange(0, 30, 0.7), np.arange(30, -30, -1.3)])
    start = None
    for angle in angles:
        values = np.array([7.0, (angle - low) % (2 * np.pi) + low])
        start = values[1] if start is None else start
        unwrap(values)
        assert values[0] == 7.0
        assert values[1] - start == pytest.approx(angle - first, abs=1e-9)


def test_after_a_reset_of_the_hidden_state_an_unwrapped_angle_begins_where_it_is_measured():
    source, begins = VectorObservation(['wheel'], np.inf, 'vector'), set()
    observation = Observation([(source, [0])], np.copy, [0], begins.__contains__)
    read = []
    for stamp, angle in enumerate([3.0, -3.0, -1.0, 3.0, -3.0]):
        if stamp == 3:
            begins.add(stamp)
        source.update([angle], stamp)
        read.append(observation.read(stamp)[0])
    assert read == pytest.approx([3.0, 2 * np.pi - 3.0, 2 * np.pi - 1.0, 3.0, 2 * np.pi - 3.0])
    assert observation.read(4)[0] == pytest.approx(2 * np.pi - 3.0), 'the same angle again turns nothing'


def test_an_angle_that_is_not_finite_does_not_lose_the_turns():
    unwrap, read = Unwrap([0]), []
    for angle in (3.0, np.nan, -3.0):
        values = np.array([angle])
        unwrap(values)
        read.append(values[0])
    assert read == pytest.approx([3.0, np.nan, 2 * np.pi - 3.0], nan_ok=True)


def test_a_source_with_values_for_silence_never_refuses_for_being_late():
    velocity = VectorObservation(['linear.x', 'angular.z'], 0.5, 'cmd_vel', missing=[0.0, 0.1])
    assert velocity.read(0).tolist() == [0.0, 0.1]
    velocity.update([1.0, 2.0], 100 * MS)
    assert velocity.read(600 * MS).tolist() == [1.0, 2.0]
    assert velocity.read(601 * MS).tolist() == [0.0, 0.1]


def test_a_message_that_cannot_be_used_outdates_the_one_before():
    goal = VectorObservation(['x'], np.inf, 'goal')
    goal.update([1.0], 0)
    goal.refuse('the goal is in another frame')
    with pytest.raises(ObservationError, match='the goal is in another frame'):
        goal.read(0)
    goal.update([2.0], 1)
    assert goal.read(1).tolist() == [2.0]
