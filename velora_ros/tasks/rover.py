"""The rover's task: drive to a goal in a room that it has never seen, without touching anything."""

import numpy as np

from velora_ros.robots import model
from velora_ros.tasks import Task, act, command, fail, observe, reward, rooms, vary
from velora_ros.tasks.recording import Recording
from velora_ros.tasks.sim import Array, Ids, Sim
from velora_ros.tasks.terms import Term

BASE, RADIUS = 'base_link', 0.171
WITHIN = 0.3
"""The goal is reached within this distance [m]."""


def room_goal(sim: Sim, ids: Ids) -> Array:
    """Return the goals of the rooms that were drawn, shape (ids, 3) [m]."""
    goals = np.zeros((len(ids), 3))
    goals[:, :2] = sim.remember(rooms.GOAL, 2)[ids]
    return goals


def goal_distance(sim: Sim) -> Array:
    """Return the distance from the goal along the floor, shape (n,) [m]."""
    away: Array = np.linalg.norm(sim.command('goal')[:, :2] - sim.position(BASE)[:, :2], axis=1)
    return away


def at_goal(sim: Sim) -> Array:
    """Return 1 within 0.3 m of the goal, else 0."""
    return (goal_distance(sim) < WITHIN).astype(np.float64)


def too_near(sim: Sim) -> Array:
    """Return how far the nearest reading of the lidar is below 0.35 m, in shares of it."""
    ranges = sim.sensors('lidar')
    nearest = np.where(ranges < 0, np.inf, ranges).min(axis=1)
    near: Array = np.maximum(0.35 - nearest, 0) / 0.35
    return near


def driving(recording: Recording) -> dict[str, float]:
    """
    Return ``reached``, the share of rooms in which the goal is reached before any contact.

    ``collisions`` is the share of rooms with a contact, ``path_ratio`` the median length of the ways that reached the
    goal over the shortest way on the grid, ``seconds`` their median duration.
    """
    alive, metric = recording.alive, recording.metrics
    near = (metric['distance'] < WITHIN) & alive
    reached = near.any(axis=0)
    first = np.where(reached, near.argmax(axis=0), len(near) - 1)
    touched = metric['touched'] > 0
    before = np.arange(len(near))[:, None] <= first
    reached &= ~(touched & before & alive).any(axis=0)
    lengths = (metric['driven'] * before * alive).sum(axis=0)
    ratios = lengths[reached] / metric['shortest'][0][reached]
    return {
        'reached': float(reached.mean()),
        'collisions': float((touched & alive).any(axis=0).mean()),
        'path_ratio': float(np.median(ratios)) if len(ratios) else float('nan'),
        'seconds': float(np.median(first[reached] + 1) * recording.period) if reached.any() else float('nan'),
    }


TOUCHED = fail.touches('body')

ROVER = Task(
    name='rover',
    model=model('rover'),
    period=0.1,
    episode=40.0,
    start='home',
    act=act.twist('left_wheel', 'right_wheel', radius=0.03575, separation=0.233, linear=0.31, angular=1.9, gain=0.2),
    observe=[
        observe.lidar(sectors=18, range_max=4.0, noise=0.02),
        observe.goal(relative_to=BASE, frame=BASE, planar=True, scale=0.5),
        observe.base_velocity(noise=0.02, scale=3.0),
        observe.gyro(noise=0.05, scale=0.5),
        observe.last_action(),
    ],
    critic=[observe.lidar('lidar', sectors=36, range_max=4.0), observe.goal(relative_to=BASE, scale=0.5)],
    commands={'goal': command.goal(room_goal)},
    reward={
        reward.progress(BASE, planar=True): 10.0,
        at_goal: 0.5,
        too_near: -0.3,
        reward.collision('body'): -10.0,
        reward.action_rate(): -0.02,
    },
    fail=[TOUCHED],
    vary=[
        rooms.rooms('obstacle', RADIUS, margin=0.1, farther=3.0),
        vary.friction('wheel', (0.6, 1.0)),
        vary.payload(BASE, (0.0, 2.0)),
        vary.delay(action=(0, 1)),
    ],
    metrics=[
        Term('distance', goal_distance, 'm'),
        Term('driven', lambda sim: np.linalg.norm(sim.free_joint.qvel[:, :2], axis=1) * sim.period, 'm'),
        Term('shortest', lambda sim: sim.remember(rooms.SHORTEST), 'm'),
        Term('touched', TOUCHED.compute, '', TOUCHED.prepare),
    ],
    score=driving,
)  # fmt: skip
