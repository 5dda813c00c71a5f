import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.contract.scan_sectors import Rays, measured

SECTORS = [(-np.pi + i * np.pi / 9, -np.pi + (i + 1) * np.pi / 9) for i in range(18)]
ranges = st.lists(st.sampled_from([0.2, 1.0, 2.5, np.inf, -np.inf, np.nan, 0.0, 30.0]), min_size=36, max_size=400)


@given(ranges, st.floats(-4, 0))
def test_each_sector_has_the_least_valid_range_of_its_rays_whatever_their_number(given_ranges, first):
    values, count = np.array(given_ranges), len(given_ranges)
    step = 2 * np.pi / count
    rays = Rays(SECTORS, count, first, step)
    least = rays.least(measured(values, 0.1, 12.0))
    angles = (first + step * np.arange(count) + np.pi) % (2 * np.pi) - np.pi
    for (low, high), found in zip(SECTORS, least, strict=True):
        inside = [value for value, angle in zip(values, angles, strict=True) if low + 0.02 < angle < high - 0.02]
        valid = [12.0 if value in (np.inf, 30.0) else 0.1 if value == -np.inf else value for value in inside]
        valid = [value for value in valid if value >= 0.1]
        assert not valid or found <= min(valid)
        assert found in (np.inf, 0.1, 0.2, 1.0, 2.5, 12.0)


def test_every_ray_of_a_full_turn_belongs_to_one_sector_in_either_direction():
    for step in (np.pi / 18, -np.pi / 18):
        rays = Rays(SECTORS, 36, -np.pi + np.pi / 36 if step > 0 else np.pi - np.pi / 36, step)
        assert sorted(rays.order.tolist()) == list(range(36)) and not rays.empty


def test_a_sector_without_a_ray_is_named_and_has_no_range():
    rays = Rays(SECTORS, 10, -0.5, 0.1)
    assert 0 in rays.empty and rays.least(np.ones(10))[0] == np.inf


def test_many_scans_at_once_are_read_as_one():
    rays, scans = Rays(SECTORS, 90, -np.pi, np.pi / 45), np.random.default_rng(0).uniform(0.1, 9, (4, 90))
    assert (rays.least(scans)[2] == rays.least(scans[2])).all()


def test_zero_may_mean_that_nothing_is_within_reach():
    assert measured(np.array([0.0, 1.0]), 0.1, 8.0, zero_is_far=True).tolist() == [8.0, 1.0]
    assert measured(np.array([0.0, 1.0]), 0.1, 8.0).tolist() == [np.inf, 1.0]
