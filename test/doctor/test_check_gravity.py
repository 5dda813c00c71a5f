"""Mounting, units and signs of an inertial sensor."""

import numpy as np
import pytest
from doctor_arrays import imu, levels

from velora_ros.doctor.check_gravity import check_gravity


def check(samples, *, needs_orientation=True, upright=True):
    return check_gravity('/imu/data', samples, needs_orientation=needs_orientation, upright=upright)


def test_a_sensor_at_rest_is_in_order():
    assert levels(check(imu())) == [('ok', 'gravity')]


def test_a_sensor_upside_down_or_with_the_sign_of_gravity_is_found():
    found = check(imu(acceleration=(0, 0, -9.81), orientation=(0, 1, 0, 0)))
    assert levels(found) == [('mend', 'mounting')]
    assert 'upside down' in found[0].text


def test_a_sensor_that_is_mounted_turned_is_found_with_its_angles():
    found = check(imu(acceleration=(0, 9.81, 0), orientation=(np.sqrt(0.5), np.sqrt(0.5), 0, 0)))
    assert levels(found) == [('mend', 'mounting')]
    assert 'roll 1.57' in found[0].text


def test_a_robot_that_lies_is_no_wrong_mounting():
    lying = imu(acceleration=(0, 9.81, 0), orientation=(np.sqrt(0.5), np.sqrt(0.5), 0, 0))
    assert levels(check(lying, upright=False)) == [('ok', 'gravity')]


def test_an_orientation_that_disagrees_with_the_acceleration_is_found():
    found = check(imu(orientation=(np.sqrt(0.5), np.sqrt(0.5), 0, 0)))
    assert levels(found) == [('ok', 'gravity'), ('mend', 'orientation')]
    assert '90 degrees' in found[1].text


def test_acceleration_in_g_is_found():
    (found,) = check(imu(acceleration=(0, 0, 1.0)))
    assert (found.level, 'in g' in found.text) == ('mend', True)


def test_an_acceleration_without_gravity_is_noted():
    assert levels(check(imu(acceleration=(0, 0, 0)))) == [('note', 'gravity')]


@pytest.mark.parametrize(('needed', 'level'), [(True, 'mend'), (False, 'note')])
def test_a_sensor_without_orientation_matters_if_the_policy_reads_it(needed, level):
    found = check(imu(has=False), needs_orientation=needed)
    assert levels(found) == [(level, 'orientation'), ('ok', 'gravity')]


def test_a_quaternion_of_zeros_is_found():
    assert ('mend', 'orientation') in levels(check(imu(orientation=(0.5, 0, 0, 0))))


def test_a_robot_that_turns_is_not_judged():
    assert levels(check(imu(gyro=(1.0, 0, 0), acceleration=(5, 0, 0)))) == [('note', 'gravity')]


@pytest.mark.parametrize('part', ['gyro', 'acceleration', 'orientation'])
def test_measurements_that_are_not_finite_are_found(part):
    size = 4 if part == 'orientation' else 3
    sensor = imu(**{part: (np.nan,) * size})
    assert 'mend' in {one.level for one in check_gravity('/imu', sensor, needs_orientation=True, upright=False)}
