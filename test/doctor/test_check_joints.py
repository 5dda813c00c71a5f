"""Names, units, offsets, velocities."""

import numpy as np
import pytest
from doctor_arrays import expected, joints, levels, moving, still

from velora_ros.doctor.check_joints import DEGREES, check_names, check_positions, check_signals, check_velocities

PAIR = [expected('a', mean=0.2, start=0.2), expected('b', mean=-1.5, start=-1.5, deviation=0.1)]


def test_the_joints_of_the_policy_are_in_order():
    assert levels(check_names('/joint_states', ['a', 'b'], ['b', 'a', 'c'])) == [('ok', 'names')]


def test_another_policys_robot_is_found():
    (found,) = check_names('/joint_states', ['hip', 'knee'], ['slider', 'hinge'])
    assert (found.level, 'trained for a different robot' in found.text) == ('mend', True)
    assert 'it reads hip, knee, but the robot has slider, hinge' in found.text


def test_a_joint_with_another_name_is_named_with_the_nearest():
    (found,) = check_names('/joint_states', ['left_hip', 'knee'], ['left_hip_joint', 'knee'])
    assert "'left_hip' ('left_hip_joint'?)" in found.text


def test_a_robot_in_its_start_pose_is_in_order():
    assert levels(check_positions(PAIR, joints(still(0.25, -1.45)))) == [('ok', 'position')] * 2


def test_an_offset_is_found():
    first, second = check_positions(PAIR, joints(still(0.2, -1.0)))
    assert (first.level, second.level, second.check, second.about) == ('ok', 'mend', 'offset', 'b')
    assert 'the zero is off by 0.5' in second.text


def test_degrees_are_found():
    first, second = check_positions(PAIR, joints(still(0.2, -1.5) * DEGREES))
    assert (second.level, second.check) == ('mend', 'unit')
    assert '-85.94 is -1.5 rad in degrees' in second.text
    assert first.check == 'unit'


def test_a_small_angle_in_degrees_may_be_an_offset_and_says_both():
    (found,) = check_positions([expected('a', mean=0.0, start=0.0)], joints(still(2.0, 0.0)))
    assert found.check == 'offset'
    assert 'Or the position is in degrees' in found.text


def test_a_slide_is_never_in_degrees():
    (found,) = check_positions([expected('a', 'm', start=0.2)], joints(still(0.2 * DEGREES, 0.0)))
    assert found.check == 'offset'


def test_a_joint_that_was_everywhere_in_training_may_start_anywhere():
    wide = expected('a', mean=0.0, deviation=1.0, start=0.0)
    assert levels(check_positions([wide], joints(still(1.2, 0.0)))) == [('ok', 'position')]
    assert levels(check_positions([wide], joints(still(60.0, 0.0)))) == [('mend', 'unit')]


def test_a_policy_without_statistics_has_its_start_pose():
    joint = expected('a', mean=np.nan, deviation=np.nan, start=0.2)
    assert levels(check_positions([joint], joints(still(0.2, 0.0)))) == [('ok', 'position')]
    assert levels(check_positions([joint], joints(still(0.6, 0.0)))) == [('mend', 'offset')]
    unknown = expected('a', mean=np.nan, deviation=np.nan)
    assert levels(check_positions([unknown], joints(still(0.6, 0.0)))) == [('ok', 'position')]
    assert levels(check_positions([unknown], joints(still(60.0, 0.0)))) == [('mend', 'unit')]


def test_without_a_start_pose_training_says_where_a_joint_is():
    joint = expected('a', mean=0.3, deviation=0.05)
    assert levels(check_positions([joint], joints(still(0.55, 0.0)))) == [('ok', 'position')]
    assert levels(check_positions([joint], joints(still(0.9, 0.0)))) == [('mend', 'offset')]


def test_anywhere_allows_poses_near_those_of_training_but_no_degrees():
    assert levels(check_positions(PAIR, joints(still(0.2, -0.8)), anywhere=True)) == [('ok', 'position')] * 2
    assert ('mend', 'unit') in levels(check_positions(PAIR, joints(still(0.2, -80.0)), anywhere=True))


def test_velocities_that_are_the_change_of_positions_are_in_order():
    assert levels(check_velocities(['a', 'b'], joints(moving()))) == [('ok', 'velocity')] * 2


def test_a_velocity_with_a_wrong_sign_is_found():
    samples = joints(moving())
    samples.velocity[:, 1] *= -1
    assert levels(check_velocities(['a', 'b'], samples)) == [('ok', 'velocity'), ('mend', 'sign')]


@pytest.mark.parametrize(('scale', 'what'), [(DEGREES, 'velocities'), (1 / DEGREES, 'positions')])
def test_degrees_in_one_of_the_two_are_found(scale, what):
    samples = joints(moving())
    samples.velocity[:] *= scale
    found = check_velocities(['a'], samples)
    assert levels(found) == [('mend', 'unit')]
    assert f'{what} are in degrees' in found[0].text


def test_velocities_in_another_order_are_noted():
    samples = joints(moving())
    samples.velocity[:] = samples.velocity[:, ::-1]
    assert levels(check_velocities(['a', 'b'], samples)) == [('note', 'velocity')] * 2


def test_a_robot_that_stands_still_says_nothing_about_velocities():
    assert check_velocities(['a', 'b'], joints(still(0.1, 0.2))) == []


def test_joint_states_without_velocities_say_nothing():
    assert check_velocities(['a', 'b'], joints(moving(), velocity=np.full((100, 2), np.nan))) == []


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_signals_that_are_never_finite_are_found(value):
    wanted = ['a/position', 'b/position', 'b/velocity', 'b/effort', 'c/position']
    samples = joints(moving())
    assert check_signals('/joint_states', wanted, samples) == []
    samples.position[:, 0], samples.velocity[:, 1] = value, value
    (found,) = check_signals('/joint_states', wanted, samples)
    assert (found.level, found.about) == ('mend', '/joint_states')
    assert 'no message has a finite value of a/position, b/velocity, which the policy reads' in found.text


def test_joint_states_in_parts_are_joined_by_name():
    samples = joints(still(0.2, -1.5))
    samples.position[::2, 0] = np.nan
    samples.position[1::2, 1] = np.nan
    assert levels(check_positions(PAIR, samples)) == [('ok', 'position')] * 2
