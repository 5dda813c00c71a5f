import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.gym.disturbances.dropped_frames import DroppedFrames
from velora_ros.gym.disturbances.random_generators import StreamGenerators


def streams(n, seed=0):
    made = StreamGenerators('drop', n)
    made.reset(range(seed, seed + n))
    return made


@given(st.floats(0, 1), st.integers(0, 4), st.integers(0, 1000))
def test_never_more_are_lost_in_a_row_than_allowed(probability, most, seed):
    dropped = DroppedFrames(probability, most, streams(3, seed))
    row, longest = np.zeros(3, dtype=int), np.zeros(3, dtype=int)
    for _ in range(40):
        row = np.where(dropped.draw(), row + 1, 0)
        longest = np.maximum(longest, row)
    assert (longest <= most).all()


def test_without_a_limit_every_frame_can_be_lost():
    dropped = DroppedFrames(1.0, None, streams(2))
    assert all(dropped.draw().all() for _ in range(100))


def test_only_streams_that_have_a_frame_lose_it():
    dropped = DroppedFrames(1.0, 1, streams(2))
    assert dropped.draw(np.array([True, False])).tolist() == [True, False]
    assert dropped.draw().tolist() == [False, True]


def test_a_restart_counts_from_the_beginning():
    dropped = DroppedFrames(1.0, 2, streams(2))
    dropped.draw()
    dropped.draw()
    dropped.restart(np.array([False, True]))
    assert dropped.draw().tolist() == [False, True]
