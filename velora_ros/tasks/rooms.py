"""Rooms, a new one drawn for each episode: obstacles, a start, and a goal that can be reached from it."""

from collections.abc import Callable

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.tasks import shortest_grid_paths
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.shortest_grid_paths import CENTRES, SIDE, SIZE
from velora_ros.tasks.terms.vary import Variation

Mask = npt.NDArray[np.bool_]

GOAL, SHORTEST = 'room: goal', 'room: shortest'
"""In ``sim.memory``: the goal's x and y [m], and the length of the shortest path on the grid [m]."""
ROOM, TO_GO = 'room: room', 'room: to go'
"""For each cell: clearance beyond radius and margin, and length of the path to the goal, (n, side, side) [m]."""
_START_TRIES, _GOAL_TRIES = 64, 4
_CYLINDER = int(mujoco.mjtGeom.mjGEOM_CYLINDER)
_NARROW, _BLOCKED = 4.0, 10.0
"""Factors for the length of a path where the margin is not kept, and where the robot would touch something."""


def rooms(obstacles: str, base_radius: float, *, margin: float, farther: float) -> Variation:
    """
    Draw a room at the start of each episode, even where disturbances are switched off.

    Obstacles, start, heading and goal are drawn until start and goal are at least ``farther`` apart and a path on the
    grid joins them on which the robot keeps ``margin`` from everything.

    Args:
        obstacles: pattern of the mocap bodies.
        base_radius: radius of the robot [m].
        margin: smallest distance between the robot and an obstacle on the path [m].
        farther: smallest distance between start and goal, in a straight line [m].
    """

    def begin(sim: Sim, ids: Ids) -> None:
        pending = ids
        while len(pending):
            places, angles = _draw_obstacles(sim, pending, obstacles)
            room = _clearance(sim, obstacles, places, angles) - base_radius - margin
            ends = _draw_ends(sim, pending, room, farther)
            shorts = shortest(room > 0, ends)
            solved = np.isfinite(shorts)
            done = pending[solved]
            _furnish(sim, done, obstacles, places[solved], angles[solved])
            _begin(sim, done, ends[solved, 0])
            sim.remember(ROOM, SIDE, SIDE)[done] = room[solved]
            _set_goal(sim, done, ends[solved, 1], shorts[solved], margin)
            pending = pending[~solved]

    return Variation('rooms', begin, always=True)


def next_goal(margin: float, farther: float) -> Callable[[Sim, Ids], Array]:
    """
    Return a function that returns the goals of :func:`rooms`: first the room's own goal, then new goals.

    Args:
        margin: see :func:`rooms` [m].
        farther: smallest distance of a new goal from the previous goal [m].
    """

    def sample(sim: Sim, ids: Ids) -> Array:
        pending = ids[sim.steps[ids] > 0]
        for _ in range(_GOAL_TRIES):  # the goal is kept if no other goal can be reached
            room, before = sim.remember(ROOM, SIDE, SIDE)[pending], sim.remember(GOAL, 2)[pending]
            ends = _draw_ends(sim, pending, room, farther, before)
            shorts = shortest(room > 0, ends)
            solved = np.isfinite(shorts)
            _set_goal(sim, pending[solved], ends[solved, 1], shorts[solved], margin)
            pending = pending[~solved]
        goals = np.zeros((len(ids), 3))
        goals[:, :2] = sim.remember(GOAL, 2)[ids]
        return goals

    return sample


def shortest(free: Mask, ends: Array) -> Array:
    """
    Return the lengths of the shortest paths in rooms on the grid, with steps to eight neighbours; inf without a path.

    Args:
        free: which cells can be entered, shape (rooms, side, side).
        ends: x and y of start and goal, shape (rooms, 2, 2) [m]; NaN where there are none.
    """
    lengths = shortest_grid_paths.lengths(np.where(free, 1.0, np.inf), ends[:, 1])
    found = np.isfinite(ends).all(axis=(1, 2))
    x, y = shortest_grid_paths.cells(np.nan_to_num(ends[:, 0])).T
    shorts: Array = np.where(found, lengths[np.arange(len(free)), x, y], np.inf)
    return shorts


def _draw_obstacles(sim: Sim, ids: Ids, pattern: str) -> tuple[Array, Array]:
    """Return the obstacles' places, shape (ids, obstacles, 2) [m], and angles, shape (ids, obstacles) [rad]."""
    count = len(sim.geoms(pattern))
    places = sim.draws.uniform(ids, -SIZE / 2 + 0.3, SIZE / 2 - 0.3, 2 * count).reshape(-1, count, 2)
    return places, sim.draws.uniform(ids, 0, np.pi, count)


def _clearance(sim: Sim, pattern: str, places: Array, angles: Array) -> Array:
    """Return the distance of each cell's centre from the nearest obstacle or wall, shape (ids, side, side) [m]."""
    x, y = np.meshgrid(CENTRES, CENTRES, indexing='ij')
    wall = SIZE / 2 - np.maximum(np.abs(x), np.abs(y))
    nearest = np.broadcast_to(wall, (len(places), SIDE, SIDE)).copy()
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


def _draw_ends(sim: Sim, ids: Ids, room: Array, farther: float, starts: Array | None = None) -> Array:
    """
    Return x and y of start and goal in free cells, shape (ids, 2, 2) [m]; NaN if none were found.

    Starts that are given, shape (ids, 2) [m], are kept.
    """
    drawn = sim.draws.uniform(ids, -SIZE / 2, SIZE / 2, 4 * _START_TRIES).reshape(-1, _START_TRIES, 2, 2)
    if starts is not None:
        drawn[:, :, 0] = starts[:, None]
    cells = shortest_grid_paths.cells(drawn)
    which = np.arange(len(ids))[:, None, None]
    places: Array = CENTRES[cells]
    enough = (room[which, cells[..., 0], cells[..., 1]] > 0).all(axis=2)
    enough &= np.linalg.norm(places[:, :, 0] - places[:, :, 1], axis=2) >= farther
    chosen: Array = places[np.arange(len(ids)), enough.argmax(axis=1)]
    chosen[~enough.any(axis=1)] = np.nan
    return chosen


def _furnish(sim: Sim, ids: Ids, pattern: str, places: Array, angles: Array) -> None:
    """Move the obstacles to their places, turned by angles about the vertical."""
    bodies = np.array([sim.model.body_mocapid[sim.model.geom(geom).bodyid[0]] for geom in sim.geoms(pattern)], np.intp)
    positions, turns = sim.batch.bind('mocap_pos'), sim.batch.bind('mocap_quat')
    positions[np.ix_(ids, bodies, np.array([0, 1]))] = places
    turns[np.ix_(ids, bodies, np.array([0, 3]))] = np.stack([np.cos(angles / 2), np.sin(angles / 2)], axis=2)


def _begin(sim: Sim, ids: Ids, places: Array) -> None:
    """Move the robot to its start, with a random heading."""
    pose = sim.free_joint.qpos
    half = sim.draws.uniform(ids, -np.pi, np.pi, 1)[:, 0] / 2
    pose[ids, :2] = places
    pose[ids, 3], pose[ids, 6] = np.cos(half), np.sin(half)


def _set_goal(sim: Sim, ids: Ids, goals: Array, shorts: Array, margin: float) -> None:
    """Store the goals, the lengths of the shortest paths, and for each cell the length of the path around obstacles."""
    sim.remember(GOAL, 2)[ids] = goals
    sim.remember(SHORTEST)[ids] = shorts
    missing = -sim.remember(ROOM, SIDE, SIDE)[ids] / margin
    weights = 1 + _NARROW * np.clip(missing, 0, 1) + _BLOCKED * (missing > 1)
    sim.remember(TO_GO, SIDE, SIDE)[ids] = shortest_grid_paths.lengths(weights, goals)
