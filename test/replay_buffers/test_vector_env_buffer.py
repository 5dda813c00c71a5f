"""Rings of several streams: no sequence crosses streams, whichever skipped steps, and every place is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.replay_buffers import StreamBuffer, Transitions


def step(numbers: np.ndarray) -> Transitions:
    """A transition of each stream; the reward is 1000 * stream + its number in the stream."""
    n = len(numbers)
    rewards = (1000 * np.arange(n) + numbers).astype(np.float32)
    column, ones = rewards[:, None], np.ones(n, np.float32)
    return Transitions(
        np.hstack([column, -column]), column / 1e4, rewards, numbers % 5 == 4, np.hstack([column + 1, column]), ones,
        2 * ones, np.hstack([column, column, column]), numbers % 5 == 0,
    )  # fmt: skip


def filled(n_streams: int, capacity: int, steps: int, seed: int) -> tuple[StreamBuffer, np.ndarray]:
    buffer, numbers, rng = (
        StreamBuffer(capacity, n_streams, 2, 1, 3),
        np.zeros(n_streams, int),
        np.random.default_rng(seed),
    )
    for _ in range(steps):
        taken = rng.random(n_streams) < 0.7
        buffer.add(step(numbers), None if taken.all() else taken)
        numbers += taken
    return buffer, numbers


@settings(max_examples=40, deadline=None)
@given(n_streams=st.integers(1, 5), ring=st.integers(4, 20), steps=st.integers(20, 60), seed=st.integers(0, 1000))
def test_sequences_are_of_one_stream_contiguous_and_still_held(
    n_streams: int, ring: int, steps: int, seed: int
) -> None:
    buffer, numbers = filled(n_streams, n_streams * ring, steps, seed)
    if buffer.longest() < 3:
        return
    batch = buffer.sample(32, 3, np.random.default_rng(seed))
    stream, number = np.divmod(batch.reward.astype(int), 1000)
    assert (stream == stream[:, :1]).all()
    assert (np.diff(number, axis=1) == 1).all()
    last = numbers[stream[:, 0]]
    assert (number[:, -1] < last).all()
    assert (number[:, 0] >= last - ring).all()
    np.testing.assert_array_equal(batch.hidden[:, 0], batch.reward[:, 0])
    np.testing.assert_array_equal(batch.first, number % 5 == 0)
    np.testing.assert_array_equal(batch.observation[..., 1], -batch.reward)


def test_every_place_of_every_stream_is_drawn_about_equally_often() -> None:
    buffer, _ = filled(3, 60, 60, 0)
    starts = buffer.sample(18_000, 3, np.random.default_rng(0)).reward[:, 0]
    _, counts = np.unique(starts, return_counts=True)
    assert len(counts) == 3 * 18
    assert counts.min() > 240
    assert counts.max() < 430


def test_a_restored_buffer_draws_the_same_and_goes_on_alike() -> None:
    one, numbers = filled(3, 45, 40, 1)
    two = StreamBuffer(45, 3, 2, 1, 3)
    two.restore(*(value.copy() for value in one.state().values()))
    for number in range(20):
        draws = [buffer.sample(16, 4, np.random.default_rng(number)).reward for buffer in (one, two)]
        assert np.array_equal(*draws)
        for buffer in (one, two):
            buffer.add(step(numbers + number))


def test_too_little_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match='buffer_size is 3, too small for 4 environments'):
        StreamBuffer(3, 4, 2, 1, 3)
    with pytest.raises(ConfigError, match='of 4 transitions was requested, but the replay holds at most 2 of one'):
        buffer = StreamBuffer(40, 2, 2, 1, 3)
        for number in range(2):
            buffer.add(step(np.full(2, number)))
        buffer.sample(1, 4, np.random.default_rng(0))
