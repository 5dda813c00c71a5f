"""Rooms that are drawn anew for each episode: obstacles, a start and a goal between which there is a way."""

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.tasks.sim import Array, Ids, Sim
from velora_ros.tasks.vary import Variation

Mask = npt.NDArray[np.bool_]

SIZE = 6.0  # m, from wall to wall
CELL = 0.15  # m, of the grid on which ways are searched
GOAL, SHORTEST = 'room: goal', 'room: shortest'
"""In ``sim.memory``: the goal's x and y [m], and the length of the shortest way on the grid [m]."""
_SIDE = round(SIZE / CELL)
_CENTRES = np.linspace(CELL / 2 - SIZE / 2, SIZE / 2 - CELL / 2, _SIDE, dtype=np.float64)
_NEIGHBOURS = [(dx, dy, CELL * float(np.hypot(dx, dy))) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]
_START_TRIES = 64
_CYLINDER = int(mujoco.mjtGeom.mjGEOM_CYLINDER)


def rooms(obstacles: str, base_radius: float, *, margin: float, farther: float) -> Variation:
    """
    Draw a room at the start of each episode, even where disturbances are switched off.

    Start, its heading and the goal are drawn with the obstacles until a way on the grid joins them, at least
    ``farther`` from each other, where the robot keeps ``margin`` from everything.

    Args:
        obstacles: pattern of the mocap bodies.
        base_radius: of the robot [m].
        margin: least distance between the robot and an obstacle on the way [m].
        farther: least distance between start and goal, in a straight line [m].
    """

    def begin(sim: Sim, ids: Ids) -> None:
        pending = ids
        while len(pending):
            places, angles = _draw_obstacles(sim, pending, obstacles)
            room = _clearance(sim, obstacles, places, angles) - base_radius - margin
            ends = _draw_ends(sim, pending, room, farther)
            lengths = shortest(room > 0, ends)
            solved = np.isfinite(lengths)
            _furnish(sim, pending[solved], obstacles, places[solved], angles[solved])
            _begin_and_end(sim, pending[solved], ends[solved], lengths[solved])
            pending = pending[~solved]

    return Variation('rooms', begin, always=True)


def shortest(free: Mask, ends: Array) -> Array:
    """
    Return the lengths of the shortest ways in rooms over the grid, with steps to eight neighbours; inf without a way.

    Args:
        free: which cells can be entered, shape (rooms, side, side).
        ends: x and y of start and goal, shape (rooms, 2, 2) [m]; NaN where there are none.
    """
    count = len(free)
    cost = np.full((count, _SIDE + 2, _SIDE + 2), np.inf)
    inside = (slice(None), slice(1, -1), slice(1, -1))
    found = np.isfinite(ends).all(axis=(1, 2))
    cells = np.clip(np.nan_to_num((ends + SIZE / 2) / CELL), 0, _SIDE - 1).astype(np.intp)
    rooms = np.flatnonzero(found)
    cost[rooms, cells[rooms, 1, 0] + 1, cells[rooms, 1, 1] + 1] = 0
    while True:
        before = cost[inside].copy()
        for dx, dy, length in _NEIGHBOURS:
            shifted = cost[:, 1 + dx : 1 + dx + _SIDE, 1 + dy : 1 + dy + _SIDE] + length
            np.minimum(cost[inside], np.where(free, shifted, np.inf), out=cost[inside])
        if (cost[inside] == before).all():
            break
    lengths: Array = np.where(found, cost[inside][np.arange(count), cells[:, 0, 0], cells[:, 0, 1]], np.inf)
    return lengths


def _draw_obstacles(sim: Sim, ids: Ids, pattern: str) -> tuple[Array, Array]:
    """Return places, shape (ids, obstacles, 2) [m], and angles, shape (ids, obstacles) [rad]."""
    count = len(sim.geoms(pattern))
    places = sim.draws.uniform(ids, -SIZE / 2 + 0.3, SIZE / 2 - 0.3, 2 * count).reshape(-1, count, 2)
    return places, sim.draws.uniform(ids, 0, np.pi, count)


def _clearance(sim: Sim, pattern: str, places: Array, angles: Array) -> Array:
    """Return the distance of each cell's centre from the nearest obstacle or wall, shape (ids, side, side) [m]."""
    x, y = np.meshgrid(_CENTRES, _CENTRES, indexing='ij')
    wall = SIZE / 2 - np.maximum(np.abs(x), np.abs(y))
    nearest = np.broadcast_to(wall, (len(places), _SIDE, _SIDE)).copy()
    for i, geom in enumerate(sim.geoms(pattern)):
        size, round_ = sim.model.geom(geom).size, int(sim.model.geom(geom).type[0]) == _CYLINDER
        dx, dy = x - places[:, i, 0, None, None], y - places[:, i, 1, None, None]
        if round_:
            away = np.hypot(dx, dy) - size[0]
        else:
            cos, sin = np.cos(angles[:, i, None, None]), np.sin(angles[:, i, None, None])
            along, across = np.abs(cos * dx + sin * dy) - size[0], np.abs(cos * dy - sin * dx) - size[1]
            away = np.hypot(np.maximum(along, 0), np.maximum(across, 0)) + np.minimum(np.maximum(along, across), 0)
        np.minimum(nearest, away, out=nearest)
    return nearest


def _draw_ends(sim: Sim, ids: Ids, room: Array, farther: float) -> Array:
    """Return x and y of start and goal in cells where there is room, shape (ids, 2, 2) [m]; NaN if none were found."""
    drawn = sim.draws.uniform(ids, -SIZE / 2, SIZE / 2, 4 * _START_TRIES).reshape(-1, _START_TRIES, 2, 2)
    cells = np.clip((drawn + SIZE / 2) / CELL, 0, _SIDE - 1).astype(np.intp)
    which = np.arange(len(ids))[:, None, None]
    places: Array = _CENTRES[cells]
    enough = (room[which, cells[..., 0], cells[..., 1]] > 0).all(axis=2)
    enough &= np.linalg.norm(places[:, :, 0] - places[:, :, 1], axis=2) >= farther
    chosen: Array = places[np.arange(len(ids)), enough.argmax(axis=1)]
    chosen[~enough.any(axis=1)] = np.nan
    return chosen


def _furnish(sim: Sim, ids: Ids, pattern: str, places: Array, angles: Array) -> None:
    """Put the obstacles at their places, turned by angles about the vertical."""
    bodies = np.array([sim.model.body_mocapid[sim.model.geom(geom).bodyid[0]] for geom in sim.geoms(pattern)], np.intp)
    positions, turns = sim.batch.bind('mocap_pos'), sim.batch.bind('mocap_quat')
    positions[np.ix_(ids, bodies, np.array([0, 1]))] = places
    turns[np.ix_(ids, bodies, np.array([0, 3]))] = np.stack([np.cos(angles / 2), np.sin(angles / 2)], axis=2)


def _begin_and_end(sim: Sim, ids: Ids, ends: Array, lengths: Array) -> None:
    """Put the robot at its start, with a random heading, and remember goal and shortest way."""
    pose = sim.free_joint.qpos
    half = sim.draws.uniform(ids, -np.pi, np.pi, 1)[:, 0] / 2
    pose[ids, :2] = ends[:, 0]
    pose[ids, 3], pose[ids, 6] = np.cos(half), np.sin(half)
    sim.remember(GOAL, 2)[ids] = ends[:, 1]
    sim.remember(SHORTEST)[ids] = lengths
