import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.gym.disturbances.random_generators import StreamGenerators

DEVIATION = np.array([1.0, 2.0])


def draws(streams, mask=None):
    return streams.normal(DEVIATION, mask), streams.uniform(mask), streams.integers(2, 5, mask)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=4), st.data())
def test_a_stream_draws_what_it_would_draw_alone(seeds, data):
    together, alone = StreamGenerators('noise', len(seeds)), [StreamGenerators('noise') for _ in seeds]
    together.reset(seeds)
    for seed, one in zip(seeds, alone, strict=True):
        one.reset([seed])
    for _ in range(3):
        mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(seeds), max_size=len(seeds))))
        drawn = draws(together, mask)
        for index in np.flatnonzero(mask):
            for many, one in zip(drawn, draws(alone[index]), strict=True):
                np.testing.assert_array_equal(many[index], one[0])
        assert all((many[~mask] == 0).all() for many in drawn)


def test_a_reset_without_a_seed_goes_on_and_one_outside_of_the_mask_is_left_alone():
    one, other = (StreamGenerators('noise', 2) for _ in range(2))
    one.reset([1, 2])
    other.reset([1, 2])
    first = one.uniform()
    other.uniform()
    one.reset([None, 2], np.array([True, False]))
    np.testing.assert_array_equal(one.uniform(), other.uniform())
    one.reset([1, 2])
    np.testing.assert_array_equal(one.uniform(), first)


def test_two_disturbances_under_one_seed_draw_differently():
    one, other = StreamGenerators('noise'), StreamGenerators('drop')
    one.reset([3])
    other.reset([3])
    assert one.uniform() != other.uniform()
    assert set(np.concatenate([one.integers(2, 5) for _ in range(99)])) == {2, 3, 4, 5}
