import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.replay_buffers import SequenceBuffer, Transition


def transition(number: int, *, first: bool = False, terminated: bool = False) -> Transition:
    """The number-th transition: every field can be told from it."""
    return Transition(
        observation=[number, -number],
        action=[number / 1000],
        reward=float(number),
        terminated=terminated,
        next_observation=[number + 1, -number - 1],
        dt=1.0 + number,
        next_dt=2.0 + number,
        hidden=[number, number, number],
        first=first,
    )


def filled(capacity: int, count: int) -> SequenceBuffer:
    buffer = SequenceBuffer(capacity, 2, 1, 3)
    for number in range(count):
        buffer.add(transition(number, first=number % 5 == 0, terminated=number % 5 == 4))
    return buffer


@settings(max_examples=50)
@given(capacity=st.integers(4, 40), count=st.integers(4, 120), seed=st.integers(0, 1000))
def test_sequences_are_contiguous_and_only_of_what_is_still_held(capacity: int, count: int, seed: int) -> None:
    batch = filled(capacity, count).sample(8, 4, np.random.default_rng(seed))
    numbers = batch.reward
    assert (np.diff(numbers, axis=1) == 1).all()
    assert numbers.min() >= max(0, count - capacity)
    assert numbers.max() < count


def test_every_field_comes_back_with_its_own_transition() -> None:
    batch = filled(20, 33).sample(16, 6, np.random.default_rng(0))
    numbers = batch.reward
    np.testing.assert_array_equal(batch.observation, np.stack([numbers, -numbers], axis=-1))
    np.testing.assert_array_equal(batch.next_observation, np.stack([numbers + 1, -numbers - 1], axis=-1))
    np.testing.assert_allclose(batch.action[..., 0], numbers / 1000, rtol=1e-6)
    np.testing.assert_array_equal(batch.dt, numbers + 1)
    np.testing.assert_array_equal(batch.next_dt, numbers + 2)
    np.testing.assert_array_equal(batch.hidden[:, 0], numbers[:, 0])
    np.testing.assert_array_equal(batch.first, numbers % 5 == 0)
    np.testing.assert_array_equal(batch.terminated, numbers % 5 == 4)
    np.testing.assert_array_equal(batch.state, batch.observation)


@pytest.mark.parametrize('count', [17, 33])
def test_refreshed_states_follow_their_steps_except_where_an_episode_begins(count: int) -> None:
    buffer = filled(20, count)
    drawn = buffer.sample(16, 6, np.random.default_rng(0)).reward[:, 2:]
    buffer.refresh(np.stack([-drawn.T, -drawn.T], axis=1), 2)
    held = buffer.rows[: len(buffer)]
    numbers, hidden = held[:, buffer.columns['reward'].start], held[:, buffer.columns['hidden']]
    changed = np.isin(numbers - 1, drawn) & (numbers % 5 != 0)
    assert changed.any()
    np.testing.assert_array_equal(hidden[changed, :2], np.repeat(1 - numbers[changed, None], 2, axis=1))
    np.testing.assert_array_equal(hidden[~changed, :2], np.repeat(numbers[~changed, None], 2, axis=1))
    np.testing.assert_array_equal(hidden[:, 2], numbers)  # of the critics' memory


def test_every_transition_is_drawn_about_equally_often() -> None:
    batch = filled(50, 50).sample(4000, 1, np.random.default_rng(0))
    counts = np.bincount(batch.reward.astype(int).ravel(), minlength=50)
    assert counts.min() > 40
    assert counts.max() < 130


def of_episodes(capacity: int, lengths: list[int]) -> SequenceBuffer:
    buffer = SequenceBuffer(capacity, 2, 1, 3)
    starts = set(np.cumsum([0, *lengths]).tolist())
    for number in range(sum(lengths)):
        buffer.add(transition(number, first=number in starts))
    return buffer


def test_a_share_is_drawn_from_episodes_of_equal_weight() -> None:
    buffer = of_episodes(2000, [1000, 10, 500, 10, 480])
    draw = buffer.sample(4000, 1, np.random.default_rng(0), episode_share=0.5).reward.astype(int).ravel()
    balanced, uniform = (
        np.histogram(half, [0, 1000, 1010, 1510, 1520, 2000])[0] for half in (draw[:2000], draw[2000:])
    )
    assert balanced.min() > 320
    assert balanced.max() < 480
    assert uniform[1] + uniform[3] < 50


@settings(max_examples=50)
@given(
    capacity=st.integers(8, 60),
    lengths=st.lists(st.integers(1, 30), min_size=2, max_size=12),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
)
def test_a_restored_buffer_draws_what_the_other_would_have_drawn(
    capacity: int, lengths: list[int], seed: int, share: float
) -> None:
    one = of_episodes(capacity, [8, *lengths])
    two = SequenceBuffer(capacity, 2, 1, 3)
    two.restore(one.rows[: len(one)].copy(), one.position)
    for number in range(5):
        draws = [buffer.sample(8, 4, np.random.default_rng(seed), episode_share=share).reward for buffer in (one, two)]
        assert np.array_equal(*draws)
        assert (np.diff(draws[0], axis=1) == 1).all()
        assert draws[0].min() >= max(0, sum(lengths) + 8 + number - capacity)
        for buffer in (one, two):
            buffer.add(transition(sum(lengths) + 8 + number, first=number == 2))


def test_a_privileged_state_is_kept_beside_the_observation() -> None:
    buffer = SequenceBuffer(4, 1, 1, 1, state_dim=2)
    buffer.add(Transition([1], [0], 0.0, False, [2], 1.0, 1.0, [0], True, state=[3, 4], next_state=[5, 6]))
    batch = buffer.latest(1)
    assert batch.state.tolist() == [[[3, 4]]]
    assert batch.next_state.tolist() == [[[5, 6]]]
    assert batch.observation.tolist() == [[[1]]]


def test_asking_for_more_than_is_held_is_refused() -> None:
    with pytest.raises(ConfigError, match='a sequence of 4 transitions was requested, but the replay buffer holds 3'):
        filled(10, 3).sample(1, 4, np.random.default_rng(0))
    with pytest.raises(ConfigError, match='capacity of 0'):
        SequenceBuffer(0, 1, 1, 1)


@pytest.mark.parametrize(('n_sequences', 'length'), [(8, 4), (1, 1), (50, 3)])
def test_a_sample_stays_as_it_was_drawn(n_sequences: int, length: int) -> None:
    buffer, rng = filled(50, 50), np.random.default_rng(0)
    batch = buffer.sample(n_sequences, length, rng)
    before = dataclasses.asdict(copy.deepcopy(batch))
    buffer.sample(n_sequences, length, rng)
    buffer.sample(n_sequences, length, rng, into=buffer.empty_batch(n_sequences, length))
    for number in range(50, 100):
        buffer.add(transition(number))
    assert all(np.array_equal(getattr(batch, name), values) for name, values in before.items() if values is not None)


def test_a_sample_into_memory_of_the_callers_draws_the_same_and_overwrites_that_memory_alone() -> None:
    buffer, rng, other_rng = filled(50, 50), np.random.default_rng(0), np.random.default_rng(0)
    mine, yours = buffer.empty_batch(8, 4), buffer.empty_batch(8, 4)
    assert buffer.sample(8, 4, rng, into=mine) is mine
    np.testing.assert_array_equal(mine.reward, buffer.sample(8, 4, other_rng).reward)
    before = mine.reward.copy()
    buffer.sample(8, 4, rng, into=yours)
    np.testing.assert_array_equal(mine.reward, before)
    arrays = [value for value in vars(mine).values() if value is not None]
    assert not any(np.shares_memory(value, other) for value in arrays for other in (buffer.rows, yours.rows))


def test_memory_of_another_size_or_a_copy_is_refused() -> None:
    buffer, rng = filled(50, 50), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r'empty_batch\(8, 5\)'):
        buffer.sample(8, 5, rng, into=buffer.empty_batch(8, 4))
    with pytest.raises(ValueError, match=r'empty_batch\(8, 4\)'):
        buffer.sample(8, 4, rng, into=copy.deepcopy(buffer.empty_batch(8, 4)))


@pytest.mark.parametrize(('capacity', 'count'), [(40, 33), (30, 57)])
def test_sequences_at_even_distances_come_with_the_hidden_state_that_follows(capacity: int, count: int) -> None:
    buffer = filled(capacity, count)
    batch, stored, begins = buffer.spread(4, 5)
    assert batch.reward[0, 0] == count - len(buffer)
    assert batch.reward[-1, -1] == count - 2
    assert (np.diff(batch.reward, axis=1) == 1).all()
    np.testing.assert_array_equal(batch.hidden[:, 0], batch.reward[:, 0])
    np.testing.assert_array_equal(stored[:, 0], batch.reward[:, -1] + 1)
    np.testing.assert_array_equal(begins, (batch.reward[:, -1] + 1) % 5 == 0)
    with pytest.raises(ConfigError, match='holds'):
        buffer.spread(4, len(buffer))
