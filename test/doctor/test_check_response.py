"""Commands and what they moved."""

import numpy as np
import pytest
from doctor_arrays import levels

from velora_ros.doctor.check_response import Response, check_response

DT = 0.01
TIMES = np.arange(500) * DT


def commands():
    t = TIMES
    return np.stack([0.5 * np.sign(np.sin(2 * t)), 0.3 * np.sin(3 * t + 1)], axis=1)


def response(measured, given=None, *, positions=True):
    return Response(TIMES, ['a', 'b'], commands() if given is None else given, np.asarray(measured), positions)


def late(values, steps=5):
    return np.concatenate([np.repeat(values[:1], steps, axis=0), values[:-steps]])


def test_joints_that_follow_are_in_order_with_their_latency():
    found = check_response(response(late(commands())))
    assert levels(found) == [('ok', 'response')] * 2
    assert '50 ms later' in found[0].text


def test_a_swapped_joint_is_found():
    found = check_response(response(late(commands())[:, ::-1]))
    assert levels(found) == [('mend', 'order')] * 2
    assert "followed by 'b'" in found[0].text


def test_a_wrong_sign_is_found():
    found = check_response(response(late(commands()) * [1, -1]))
    assert levels(found) == [('ok', 'response'), ('mend', 'sign')]


def test_an_offset_is_found():
    found = check_response(response(late(commands()) + np.array([0.0, 0.4])))
    assert levels(found) == [('ok', 'response'), ('ok', 'response'), ('mend', 'offset')]
    assert 'deviates from its command by 0.4' in found[-1].text


def test_a_soft_controller_is_a_note():
    measured = late(commands())
    found = check_response(response(0.3 * measured + np.array([0.0, 0.2])))
    assert levels(found) == [('ok', 'response'), ('ok', 'response'), ('note', 'offset')]


def test_a_dead_zone_is_noted():
    given = np.stack([0.5 * np.sin(2 * TIMES), np.zeros(500)], axis=1)
    moved = np.where(np.abs(given) < 0.2, 0.0, given)
    found = check_response(response(moved, given, positions=False))
    assert levels(found) == [('ok', 'response'), ('note', 'dead zone')]
    assert found[1].text.startswith(('commands up to 0.18', 'commands up to 0.19'))


def test_velocities_that_follow_have_no_dead_zone():
    given = np.stack([0.5 * np.sin(2 * TIMES), np.zeros(500)], axis=1)
    assert levels(check_response(response(late(given, 2), given, positions=False))) == [('ok', 'response')]


def test_a_robot_that_does_not_follow_is_noted():
    still = np.random.default_rng(0).normal(size=(500, 2))
    assert levels(check_response(response(still))) == [('note', 'response')] * 2


@pytest.mark.parametrize('given', [np.zeros((500, 2)), np.full((500, 2), 0.3)])
def test_constant_commands_say_nothing(given):
    assert check_response(response(commands(), given)) == []


def test_a_short_record_says_nothing():
    short = Response(TIMES[:5], ['a'], commands()[:5, :1], commands()[:5, :1], True)
    assert check_response(short) == []
