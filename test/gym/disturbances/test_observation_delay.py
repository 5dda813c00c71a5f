import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.gym.disturbances.observation_delay import DelayLine, ObservationDelay


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=30))
def test_every_item_arrives_once_in_order_and_never_early(sent):
    line, arrived = DelayLine(), []
    sent = sorted(sent)
    for number, (time, delay) in enumerate(sent):
        line.put((number, time + delay), time + delay)
        for moment in (time, time + 0.1):
            got = line.take(moment)
            assert all(due <= moment for _, due in got)
            arrived += got
    assert len(line) == len(sent) - len(arrived)
    arrived += line.take(math.inf)
    assert [number for number, _ in arrived] == list(range(len(sent)))


def test_delayed_items_can_be_dropped():
    line = DelayLine()
    line.put('state', 1.0)
    line.clear()
    assert line.take(2.0) == []


def test_each_stream_sees_the_newest_observation_that_has_arrived():
    delay = ObservationDelay(3, 1)
    delay.reset(np.full((3, 1), -1.0))
    lateness = np.array([0.0, 1.0, 2.5])
    seen = [delay.step(np.full((3, 1), float(step)), np.ones(3), lateness)[:, 0] for step in range(6)]
    np.testing.assert_array_equal(np.array(seen).T, [[0, 1, 2, 3, 4, 5], [-1, 0, 1, 2, 3, 4], [-1, -1, -1, 0, 1, 2]])


def test_uneven_steps_bring_several_observations_at_once():
    delay = ObservationDelay(1, 1)
    delay.reset(np.zeros((1, 1)))
    steps = [(1.0, 0.5), (2.0, 0.5), (3.0, 2.0), (4.0, 0.5)]
    seen = [delay.step(np.full((1, 1), value), np.array([elapsed]), np.ones(1))[0, 0] for value, elapsed in steps]
    assert seen == [0.0, 0.0, 2.0, 2.0]


def test_a_stream_is_reset_alone_and_loses_what_was_delayed():
    delay = ObservationDelay(2, 1)
    delay.reset(np.zeros((2, 1)))
    delay.step(np.ones((2, 1)), np.ones(2), np.ones(2))
    delay.reset(np.full((2, 1), 9.0), np.array([False, True]))
    assert delay.step(np.full((2, 1), 2.0), np.ones(2), np.ones(2)).ravel().tolist() == [1.0, 9.0]
