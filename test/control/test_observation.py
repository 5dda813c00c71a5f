import contextlib
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.joint_values import JointValues
from velora_ros.control.observation import Observation
from velora_ros.control.vector_values import VectorValues
from velora_ros.errors import ObservationError

NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
MS = 1_000_000


def update(joints, names, stamp=0, **fields):
    values = [array('d', fields.get(kind, ())) for kind in ('position', 'velocity', 'effort')]
    return joints.update((list(names), *values), stamp)


@given(st.permutations(['slider', 'hinge', 'elbow', 'wrist']), st.lists(st.floats(-9, 9), min_size=8, max_size=8))
def test_values_are_found_by_name_in_any_order_and_among_others(order, values):
    joints = JointValues(NAMES, 0.1)
    assert update(joints, order, position=values[:4], velocity=values[4:])
    slider, hinge = order.index('slider'), order.index('hinge')
    expected = [values[slider], values[hinge], values[4 + slider], values[4 + hinge]]
    assert joints.read(0).tolist() == expected


def test_the_order_may_change_between_messages():
    joints = JointValues(NAMES, 0.1)
    update(joints, ['slider', 'hinge'], position=[1, 2], velocity=[3, 4])
    update(joints, ['hinge', 'slider'], position=[5, 6], velocity=[7, 8])
    assert joints.read(0).tolist() == [6, 5, 8, 7]


def test_partial_messages_merge_and_the_last_part_of_a_state_triggers():
    joints = JointValues(NAMES, 0.1)
    assert not update(joints, ['slider'], 10 * MS, position=[1], velocity=[2])
    assert update(joints, ['hinge'], 15 * MS, position=[3], velocity=[4])
    assert joints.read(15 * MS).tolist() == [1, 3, 2, 4]
    assert not update(joints, ['hinge'], 25 * MS, position=[7], velocity=[8])
    assert update(joints, ['slider'], 25 * MS, position=[5], velocity=[6])
    assert joints.read(25 * MS).tolist() == [5, 7, 6, 8]


def in_parts(joints, events):
    """The stamps [ms] at which states were complete; an event is a stamp, a joint, and the fields that it has."""
    triggers = []
    for stamp, joint, *kinds in events:
        values = {kind: [stamp] for kind in kinds or ('position', 'velocity')}
        with contextlib.suppress(ObservationError):  # a state remained incomplete; joints.lost counts it
            if update(joints, [joint], round(stamp * MS), **values):
                joints.read(round(stamp * MS))
                triggers.append(stamp)
    return triggers


@pytest.mark.parametrize('after', [0.0, 0.05, 3.0, 19.0, 37.0])
def test_every_state_in_parts_triggers_once_however_its_parts_lie(after):
    joints = JointValues(NAMES, 0.1)
    events = sorted(
        (40 * tick + late, joint) for tick in range(200) for late, joint in ((0, 'slider'), (after, 'hinge'))
    )
    assert len(in_parts(joints, events)) in (199, 200)
    assert not joints.lost


def test_the_parts_of_a_state_may_come_in_another_order_each_time():
    rng = np.random.default_rng(3)
    joints, events = JointValues(NAMES, 0.1), []
    for tick in range(200):
        events += [(40 * tick + 0.1 * place, joint) for place, joint in enumerate(rng.permutation(['slider', 'hinge']))]
    assert len(in_parts(joints, events)) == 200


def test_position_and_velocity_may_come_in_messages_of_their_own():
    joints = JointValues(NAMES, 0.1)
    kinds = [('slider', 'position'), ('hinge', 'position'), ('slider', 'velocity'), ('hinge', 'velocity')]
    events = [(20 * tick, *kind) for tick in range(100) for kind in kinds]
    assert in_parts(joints, events) == [20 * tick for tick in range(100)]
    assert joints.parts_of_a_state == 4


def test_a_lost_part_costs_its_state_and_is_counted_by_name():
    joints = JointValues(NAMES, 0.1)
    lost = {30, 31, 77}
    events = [
        (40 * tick, joint)
        for tick in range(100)
        for joint in ('slider', 'hinge')
        if joint == 'slider' or tick not in lost
    ]
    assert in_parts(joints, events) == [40 * tick for tick in range(100) if tick not in lost]
    assert joints.lost == {'hinge/position': 3, 'hinge/velocity': 3}


def test_a_part_that_stops_is_named_until_states_no_longer_wait_for_it():
    joints = JointValues(NAMES, 0.1)
    in_parts(joints, [(40 * tick, joint) for tick in range(20) for joint in ('slider', 'hinge')])
    update(joints, ['slider'], 800 * MS, position=[1], velocity=[1])
    with pytest.raises(ObservationError, match="incomplete: 'hinge/position', 'hinge/velocity' did not arrive before"):
        update(joints, ['slider'], 840 * MS, position=[1], velocity=[1])
    reasons = set()
    for tick in range(22, 100):
        try:
            if update(joints, ['slider'], 40 * tick * MS, position=[1], velocity=[1]):
                joints.read(40 * tick * MS)
            reasons.add('')
        except ObservationError as error:
            reasons.add(str(error))
    assert len(reasons) == 2 and '' not in reasons, reasons
    assert any("'hinge/position', 'hinge/velocity' is more than 0.1 s older or newer" in reason for reason in reasons)


def test_a_rare_part_is_not_waited_for():
    joints = JointValues(NAMES, 1.0)
    events = sorted([(10 * tick, 'slider') for tick in range(400)] + [(100 * tick + 1, 'hinge') for tick in range(40)])
    triggers = in_parts(joints, events)
    assert len(triggers) >= 390
    assert all(trigger % 10 == 0 for trigger in triggers[3:])


def test_a_part_that_comes_as_often_as_the_others_again_is_waited_for_again():
    joints = JointValues(NAMES, 1.0)
    seldom = [
        (10 * tick, joint) for tick in range(200) for joint in ('slider', 'hinge') if joint == 'slider' or not tick % 8
    ]
    in_parts(joints, seldom)
    events = [(10 * tick, joint) for tick in range(200, 400) for joint in ('slider', 'hinge')]
    in_parts(joints, events[:200])
    joints.lost.clear()
    assert len(in_parts(joints, events[200:])) == 100
    assert joints.read(3990 * MS).tolist() == [3990] * 4


def test_after_stamps_that_run_backwards_a_state_needs_all_its_parts_again():
    joints = JointValues(NAMES, 100.0)
    in_parts(joints, [(40 * tick, joint) for tick in range(100, 110) for joint in ('slider', 'hinge')])
    assert in_parts(joints, [(0, 'slider'), (0, 'hinge'), (40, 'hinge'), (40, 'slider')]) == [0, 40]


def test_messages_without_our_joints_are_ignored_once_one_had_some():
    joints = JointValues(NAMES, 0.1)
    update(joints, ['slider'], position=[1.0])
    assert not update(joints, ['gripper'], position=[1.0])
    joints.forget()
    assert not update(joints, ['gripper'], position=[1.0])


@pytest.mark.parametrize(('names', 'fields'), [(['gripper', 'wrist'], {'position': [1, 2]}), (['slider', 'hinge'], {})])
def test_joint_states_without_a_wanted_signal_are_refused_with_the_expected_ones(names, fields):
    with pytest.raises(
        ObservationError, match=rf"joint states have {', '.join(names)}, but .* 'slider/position', 'hinge/position'"
    ):
        update(JointValues(NAMES, 0.1), names, **fields)


def test_a_signal_never_seen_is_named_even_when_it_is_the_first():
    joints = JointValues(NAMES, 0.1)
    assert not update(joints, ['hinge'], position=[1.0]), 'the rest may follow'
    assert update(joints, ['hinge'], 40 * MS, position=[1.0])
    with pytest.raises(
        ObservationError, match="never contained 'slider/position', 'slider/velocity', 'hinge/velocity'"
    ):
        joints.read(0)


@pytest.mark.parametrize('offset', [-101, 101])
def test_a_signal_too_far_in_time_from_the_trigger_is_named(offset):
    joints = JointValues(NAMES, 0.1)
    update(joints, ['hinge'], 1000 * MS, position=[1], velocity=[1])
    update(joints, ['slider'], (1000 + offset) * MS, position=[1], velocity=[1])
    with pytest.raises(ObservationError, match=r"'hinge/position', 'hinge/velocity' is more than 0\.1 s"):
        joints.read((1000 + offset) * MS)


def test_forgotten_values_must_be_seen_again():
    joints = JointValues(NAMES, 0.1)
    update(joints, ['slider', 'hinge'], position=[1, 2], velocity=[3, 4])
    joints.forget()
    with pytest.raises(ObservationError, match='never contained'):
        joints.read(0)


def test_a_field_of_another_length_than_the_names_is_refused_whole():
    joints = JointValues(NAMES, 0.1)
    with pytest.raises(ObservationError, match='2 names and 1 values of velocity'):
        update(joints, ['slider', 'hinge'], position=[1, 2], velocity=[3])


@pytest.mark.parametrize('names', [['slider', 'slider', 'hinge'], ['hinge', 'slider', 'elbow', 'hinge']])
def test_a_joint_that_a_message_names_twice_is_refused(names):
    joints = JointValues(NAMES, 0.1)
    for _ in range(2):
        with pytest.raises(ObservationError, match=r"names '(slider|hinge)' more than once"):
            update(joints, names, position=range(len(names)), velocity=range(len(names)))
    update(joints, ['slider', 'elbow', 'elbow', 'hinge'], position=[1, 0, 9, 2], velocity=[3, 0, 9, 4])
    assert joints.read(0).tolist() == [1, 2, 3, 4]  # elbow is not read


@pytest.mark.parametrize('order', ['sshh', 'shsh', 'shhs', 'ssh', 'shh', 'hhhsss'])
@pytest.mark.parametrize('apart', [0, 3])
def test_parts_that_come_twice_neither_spoil_their_state_nor_the_next(order, apart):
    joints, answered = JointValues(NAMES, 0.1), []
    for state in range(100):
        for part in order:
            stamp = (20 * state + (apart if part == 'h' else 0)) * MS
            complete = update(joints, ['slider' if part == 's' else 'hinge'], stamp, position=[state], velocity=[state])
            if complete and state:
                assert joints.read(stamp).tolist() == [state] * 4
                answered.append(stamp)
    assert len(set(answered)) == 99
    assert answered == sorted(answered)
    assert not joints.lost


def test_several_sources_fill_their_own_places():
    joints, imu = JointValues(['hinge/position'], 0.1), VectorValues(['rate', 'tilt'], 0.1, 'imu')
    observation = Observation([(joints, [1]), (imu, [2, 0])])
    update(joints, ['hinge'], 100 * MS, position=[5.0])
    imu.update((1.0, 2.0), 90 * MS)
    assert observation.read(100 * MS).tolist() == [2.0, 5.0, 1.0]


@pytest.mark.parametrize('places', [([0, 1], [2, 3]), ([3, 1], [2, 0])], ids=['consecutive', 'scattered'])
def test_an_observation_begins_with_the_values_that_its_sources_have(places):
    joints, vector = JointValues(['hinge/position', 'hinge/velocity'], 0.1), VectorValues(['x', 'y'], 0.1, 'vector')
    update(joints, ['hinge'], 0, position=[1.0], velocity=[2.0])
    vector.update([3.0, 4.0], 0)
    observation = Observation(list(zip((joints, vector), places, strict=True)))
    assert observation.read(0)[[*places[0], *places[1]]].tolist() == [1.0, 2.0, 3.0, 4.0]
    vector.update(np.array([5.0, 6.0]), 0)
    assert observation.read(0)[[*places[0], *places[1]]].tolist() == [1.0, 2.0, 5.0, 6.0]


def test_a_source_that_was_too_old_is_replaced_until_its_next_message():
    joints = JointValues(['hinge/position'], 0.1)
    command = VectorValues(['speed'], 0.1, 'cmd_vel', missing=[0.0])
    observation = Observation([(joints, [0]), (command, [1])])
    found = []
    for at, told in ((0, 0.5), (90, None), (200, None), (210, 0.7), (220, None)):
        update(joints, ['hinge'], at * MS, position=[1.0])
        if told is not None:
            command.update([told], at * MS)
        found.append(observation.read(at * MS).tolist()[1])
    assert found == [0.5, 0.5, 0.0, 0.7, 0.7]


def test_a_vector_of_the_wrong_length_is_refused_with_the_names_that_fit():
    vector = VectorValues(NAMES, 0.1, 'observation')
    with pytest.raises(
        ObservationError, match=r'has 3 values, but the policy reads 4: slider/position, hinge/position'
    ):
        vector.update(np.zeros(3), 0)


def test_a_source_without_values_or_with_old_ones_is_named():
    joints, imu = JointValues(['hinge/position'], 0.1), VectorValues(['rate'], 0.1, 'imu')
    observation = Observation([(joints, [0]), (imu, [1])])
    update(joints, ['hinge'], 1000 * MS, position=[5.0])
    with pytest.raises(ObservationError, match=r"no message has arrived from the source 'imu' \(rate\)"):
        observation.read(1000 * MS)
    imu.update([1.0], 899 * MS)
    with pytest.raises(
        ObservationError, match=r"the source 'imu' is more than 0.1 s older .*'observation.imu.max_age_s'"
    ):
        observation.read(1000 * MS)
    imu.update([1.0], 901 * MS)
    assert observation.read(1000 * MS).tolist() == [5.0, 1.0]
    observation.forget()
    with pytest.raises(ObservationError, match='never contained'):
        observation.read(1000 * MS)


def test_a_whole_joint_state_of_another_time_than_the_trigger_is_still_checked():
    imu, joints = VectorValues(['rate'], 0.1, 'imu'), JointValues(['hinge/position'], 0.1)
    update(joints, ['hinge'], 0, position=[5.0])
    imu.update([1.0], 1000 * MS)
    with pytest.raises(ObservationError, match="'hinge/position' is more than"):
        Observation([(imu, [0]), (joints, [1])]).read(1000 * MS)


def test_after_a_reset_of_the_hidden_state_an_unwrapped_angle_begins_where_it_is_measured():
    source, begins = VectorValues(['wheel'], np.inf, 'vector'), set()
    observation = Observation([(source, [0])], np.copy, [0], begins.__contains__)
    read = []
    for stamp, angle in enumerate([3.0, -3.0, -1.0, 3.0, -3.0]):
        if stamp == 3:
            begins.add(stamp)
        source.update([angle], stamp)
        read.append(observation.read(stamp)[0])
    assert read == pytest.approx([3.0, 2 * np.pi - 3.0, 2 * np.pi - 1.0, 3.0, 2 * np.pi - 3.0])
    assert observation.read(4)[0] == pytest.approx(2 * np.pi - 3.0), 'the same angle again turns nothing'


def test_a_source_with_missing_values_is_never_too_old():
    velocity = VectorValues(['linear.x', 'angular.z'], 0.5, 'cmd_vel', missing=[0.0, 0.1])
    assert velocity.read(0).tolist() == [0.0, 0.1]
    velocity.update([1.0, 2.0], 100 * MS)
    assert velocity.read(600 * MS).tolist() == [1.0, 2.0]
    assert velocity.read(601 * MS).tolist() == [0.0, 0.1]


def test_a_message_that_cannot_be_used_outdates_the_one_before():
    goal = VectorValues(['x'], np.inf, 'goal')
    goal.update([1.0], 0)
    goal.refuse('the goal is in another frame')
    with pytest.raises(ObservationError, match='the goal is in another frame'):
        goal.read(0)
    goal.update([2.0], 1)
    assert goal.read(1).tolist() == [2.0]
