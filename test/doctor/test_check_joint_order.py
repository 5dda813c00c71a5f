"""Order, sign and unit by a move."""

import numpy as np
import pytest
from doctor_arrays import expected

from velora_ros.doctor.check_joint_order import MoveWatch, judge_move
from velora_ros.doctor.check_joints import DEGREES

NAMES = ['a', 'b']


def watch(rows, period=0.02):
    """Feed positions to a watch; returns what it found and after how many rows."""
    one = MoveWatch(NAMES)
    for k, row in enumerate(rows):
        moved = one.add(k * period, dict(zip(NAMES, row, strict=True)))
        if moved is not None:
            return moved, k
    return None, len(rows)


def move(to, *, rest=40, ramp=25, after=60, noise=0.001):
    """Both joints at rest, then on the way to `to`, then at rest."""
    way = np.concatenate([np.zeros(rest), np.linspace(0, 1, ramp), np.ones(after)])
    return np.outer(way, to) + noise * np.random.default_rng(0).normal(size=(len(way), 2))


def test_a_move_is_reported_when_the_joint_stands_still_again():
    moved, row = watch(move([0.2, 0.0]))
    assert moved == pytest.approx([0.2, 0.0], abs=0.005)
    assert row > 40 + 25, 'not while it moves'


def test_noise_is_no_move():
    assert watch(move([0.0, 0.0], noise=0.01))[0] is None


def test_partial_joint_states_are_watched_too():
    one = MoveWatch(NAMES)
    for k, row in enumerate(move([0.0, 0.2])):
        name = NAMES[k % 2]
        moved = one.add(k * 0.01, {name: row[k % 2]})
        if moved is not None:
            break
    assert moved == pytest.approx([0.0, 0.2], abs=0.01)


def judged(moved, name='a', **options):
    return judge_move(expected(name, **options), NAMES, np.array(moved))


def test_the_right_joint_in_the_right_direction_is_in_order():
    assert judged([0.18, 0.01]).level == 'ok'


def test_a_swapped_joint_is_found():
    found = judged([0.01, 0.2])
    assert (found.level, found.check) == ('mend', 'order')
    assert "'a' was moved, but 'b' changed by 0.2" in found.text


def test_a_wrong_sign_is_found():
    assert judged([-0.2, 0.0])[:2] == ('mend', 'sign')


def test_a_sign_that_the_parameters_correct_is_in_order():
    assert judged([-0.2, 0.0], sign=-1.0).level == 'ok'


def test_degrees_are_found():
    found = judged([0.2 * DEGREES, 0.0])
    assert found[:2] == ('mend', 'unit')
    assert 'changed by 11.5' in found.text


def test_a_slide_may_move_far():
    assert judged([3.0, 0.0], unit='m').level == 'ok'


def test_coupled_joints_that_move_along_are_no_swap():
    assert judged([0.2, 0.22]).level == 'ok'
