"""Armed, disarmed, pending, and what a latched fault does to it."""

import pytest

from velora_ros.control.arming import EMERGENCY_STOP, Arming


def test_a_reason_against_it_makes_arming_wait():
    arming = Arming()
    arming.refusals = ('the gains are not confirmed',)
    arming.arm_when_possible(arm=True)
    assert not arming.armed and arming.is_pending
    arming.disarm()
    assert not arming.is_pending, 'disarming ends the wait'


def test_a_latched_fault_silences_an_armed_robot_and_ends_the_wait():
    arming = Arming()
    arming.arm()
    arming.latch('no usable state')
    assert arming.armed and not arming.is_commanding
    arming.recover()
    assert arming.is_commanding


def test_an_emergency_stop_neither_recovers_nor_is_replaced():
    arming = Arming()
    arming.latch(EMERGENCY_STOP)
    arming.latch('no usable state')
    arming.recover()
    assert arming.fault == EMERGENCY_STOP


@pytest.mark.parametrize('stay_armed', [True, False])
def test_clearing_a_fault_disarms_unless_it_is_to_stay_armed(stay_armed):
    arming = Arming('a fault from before')
    arming.arm()
    arming.clear(stay_armed=stay_armed)
    assert arming.fault == '' and arming.armed is stay_armed
