"""Shortest paths on a grid: the distance to a goal from every cell, and the direction in which it decreases."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]

SIZE = 6.0  # m, from wall to wall; the centre is at x = y = 0
CELL = 0.15  # m, length of a cell
SIDE = round(SIZE / CELL)
"""Number of cells along x, and along y."""
CENTRES = np.linspace(CELL / 2 - SIZE / 2, SIZE / 2 - CELL / 2, SIDE, dtype=np.float64)
"""Coordinates of the cells' centres, along x and along y [m]."""


def cells(places: Array) -> Cells:
    """Return the cells, (..., 2), nearest to places, (..., 2) [m]."""
    return np.clip((places + SIZE / 2) / CELL, 0, SIDE - 1).astype(np.intp)


def lengths(weights: Array, goals: Array) -> Array:
    """
    Return the lengths of the shortest paths to a goal from all cells, with steps to eight neighbours.

    Args:
        weights: factor of each cell for the length of a step from it; inf where no path can go, shape (rooms, side,
            side).
        goals: x and y, shape (rooms, 2) [m]; NaN where there is no goal, which gives inf.

    Returns:
        the lengths, shape (rooms, side, side) [m]; inf where there is no path.
    """
    cost = np.full((len(weights), SIDE + 2, SIDE + 2), np.inf)
    known = np.flatnonzero(np.isfinite(goals).all(axis=1))
    x, y = cells(goals[known]).T + 1
    cost[known, x, y] = 0
    inside = cost[:, 1:-1, 1:-1]
    straight, across = CELL * weights, CELL * np.sqrt(2) * weights
    sides = [cost[:, 1 + dx : 1 + dx + SIDE, 1 + dy : 1 + dy + SIDE] for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    corners = [cost[:, 1 + dx : 1 + dx + SIDE, 1 + dy : 1 + dy + SIDE] for dx in (-1, 1) for dy in (-1, 1)]
    while True:
        by_sides = np.minimum(np.minimum(sides[0], sides[1]), np.minimum(sides[2], sides[3])) + straight
        by_corners = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3])) + across
        shorter = np.minimum(by_sides, by_corners)
        if not (shorter < inside).any():
            return inside.copy()
        np.minimum(inside, shorter, out=inside)


def read(field: Array, places: Array) -> Array:
    """Return a field, (n, side, side), at places, (n, 2) [m], interpolated between centres of cells, (n,)."""
    grid = np.clip((places + SIZE / 2) / CELL - 0.5, 0, SIDE - 1 - 1e-9)
    low = grid.astype(np.intp)
    (i, j), (u, v) = low.T, (grid - low).T
    row = np.arange(len(places))
    first = (1 - v) * field[row, i, j] + v * field[row, i, j + 1]
    second = (1 - v) * field[row, i + 1, j] + v * field[row, i + 1, j + 1]
    found: Array = (1 - u) * first + u * second
    return found


def descent(field: Array, places: Array) -> Array:
    """Return how fast a field decreases along x and y at places, per metre, shape (n, 2)."""
    steps = np.array([[CELL, 0.0], [0.0, CELL]])
    found: Array = np.stack([read(field, places - one) - read(field, places + one) for one in steps], axis=1)
    return found / (2 * CELL)
