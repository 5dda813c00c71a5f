"""Two publishers of one signal, interleaved: found where they contradict each other, and only there."""

import numpy as np
import pytest

from velora_ros.control.contradicting_publishers import Contradictions, two_in_turns


def swing(count, rate=100.0, amplitude=0.3):
    return amplitude * np.sin(2 * np.pi * np.arange(count) / rate)


@pytest.mark.parametrize('pattern', ['ab', 'aabb', 'aab', 'abb', 'aaaab', 'abaab'])
@pytest.mark.parametrize('left_over', [0.5, -2.0])
def test_a_left_over_driver_that_repeats_its_last_state_is_found(pattern, left_over):
    moving, turns = iter(swing(60)), (pattern * 60)[:60]
    values = [next(moving) if turn == 'a' else left_over for turn in turns]
    pair = two_in_turns(values)
    assert pair is not None and left_over in pair


def test_two_robots_that_both_move_are_found():
    values = np.empty(60)
    values[::2], values[1::2] = swing(30, amplitude=0.1), 1.0 + swing(30, rate=70, amplitude=0.2)
    assert two_in_turns(values.tolist()) is not None


@pytest.mark.parametrize('seed', range(20))
def test_one_publisher_is_never_two(seed):
    rng = np.random.default_rng(seed)
    for values in (
        rng.normal(size=60),  # nothing but noise
        rng.uniform(-1, 1, 60),
        swing(60, rate=25, amplitude=3.0),
        swing(60) + rng.normal(size=60) * 0.02,
        np.repeat(swing(30, amplitude=2.0), 2),  # another signal's publisher between its values
        np.cumsum(rng.normal(size=60)),
        0.0015 * rng.integers(0, 2, 60),  # an encoder between two counts
        np.zeros(60),
        np.where(np.arange(60) < 30, 0.0, 1.0),  # a step
        np.full(60, np.nan),
    ):
        assert two_in_turns(values.tolist()) is None


def test_two_publishers_that_agree_are_no_contradiction():
    assert two_in_turns(np.repeat(swing(30), 2).tolist()) is None


def test_the_signal_is_named_and_a_new_look_begins_anew():
    found = Contradictions(['hinge/position', 'slider/position'])
    for turn in range(20):
        found.note([0, 1], [0.2, float(turn % 2)])
    assert found.find() in (('slider/position', 0.0, 1.0), ('slider/position', 1.0, 0.0))
    assert found.find() is None
