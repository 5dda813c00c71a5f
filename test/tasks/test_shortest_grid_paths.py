import numpy as np
import pytest

from velora_ros.tasks import rooms, shortest_grid_paths

SIDE = shortest_grid_paths.SIDE


def test_the_shortest_way_goes_around_a_wall_and_is_infinite_behind_a_closed_one():
    free = np.ones((2, SIDE, SIDE), bool)
    free[:, SIDE // 2, : SIDE - 2] = False
    free[1, SIDE // 2] = False
    ends = np.array([[[-2.0, -2.0], [2.0, -2.0]]] * 2)
    around, closed = rooms.shortest(free, ends)
    assert 8.0 < around < 12.0
    assert closed == np.inf
    straight = rooms.shortest(np.ones((1, SIDE, SIDE), bool), ends[:1])
    assert straight[0] == pytest.approx(4.0, abs=0.16)


def test_without_ends_there_is_no_way():
    free = np.ones((2, SIDE, SIDE), bool)
    ends = np.array([[[np.nan, np.nan], [2.0, -2.0]], [[2.0, -2.0], [np.nan, np.nan]]])
    assert (rooms.shortest(free, ends) == np.inf).all()


def test_a_way_costs_more_where_weights_are_larger():
    weights = np.ones((2, SIDE, SIDE))
    weights[1] = 3.0
    once, thrice = shortest_grid_paths.lengths(weights, np.zeros((2, 2)))
    np.testing.assert_allclose(thrice, 3 * once)


def test_a_field_is_read_between_the_middles_of_cells_and_falls_as_it_should():
    x, y = np.meshgrid(shortest_grid_paths.CENTRES, shortest_grid_paths.CENTRES, indexing='ij')
    places = np.random.default_rng(0).uniform(-2.5, 2.5, (20, 2))
    field = np.broadcast_to(2 * x - 3 * y + 1, (20, SIDE, SIDE))
    np.testing.assert_allclose(shortest_grid_paths.read(field, places), 2 * places[:, 0] - 3 * places[:, 1] + 1)
    np.testing.assert_allclose(shortest_grid_paths.descent(field, places), np.full((20, 2), [-2.0, 3.0]))
