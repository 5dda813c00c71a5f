"""The rover's task: drive to a goal in a room that it has never seen, without touching anything."""

import dataclasses

import numpy as np
import numpy.typing as npt

from velora_ros.contract.orientations import to_frame
from velora_ros.robots import model
from velora_ros.tasks import Task, act, command, fail, observe, reward, rooms, shortest_grid_paths, vary
from velora_ros.tasks.mujoco_simulations import Array, Sim
from velora_ros.tasks.record_episodes import Recording
from velora_ros.tasks.terms.term import Term

Mask = npt.NDArray[np.bool_]

BASE, RADIUS = 'base_link', 0.171
MARGIN, FARTHER = 0.1, 3.0
"""A path keeps this distance from everything [m]; goals are at least this far away [m]."""
WITHIN = 0.3
"""The goal is reached within this distance [m]."""
PAID, STAYS = 0.2, 1.0
"""Training rewards only this smaller distance [m]; after this time within it, the next goal comes [s]."""
CLOSE = 0.5
"""The goal is observed a second time, clipped to this distance [m]."""
NEAR = 0.35  # m, from the lidar; about 0.18 m from the body
TO_GO, STEPS_THERE = 'way to go before the step', 'steps at the goal'


def goal_distance(sim: Sim) -> Array:
    """Return the distance from the goal along the floor, shape (n,) [m]."""
    away: Array = np.linalg.norm(sim.command('goal')[:, :2] - sim.position(BASE)[:, :2], axis=1)
    return away


def stayed(sim: Sim) -> Mask:
    """Return which robots have been at their goal for a second, shape (n,)."""
    steps = sim.remember(STEPS_THERE)
    steps[:] = (steps + 1) * (goal_distance(sim) < PAID)
    done: Mask = steps * sim.period >= STAYS - sim.period / 2
    return done


def stay(sim: Sim) -> Array:
    """Return the time each robot has spent at its goal, as a share of one second, for the critic only, shape (n,)."""
    share: Array = sim.remember(STEPS_THERE) * sim.period / STAYS
    return share


def to_go(sim: Sim) -> Array:
    """Return the length of the path to the goal around the obstacles, for critic and reward only, shape (n,) [m]."""
    return shortest_grid_paths.read(_field(sim), sim.position(BASE)[:, :2])


def _field(sim: Sim) -> Array:
    return sim.remember(rooms.TO_GO, shortest_grid_paths.SIDE, shortest_grid_paths.SIDE)


@observe.term('way', names=('way.x', 'way.y'))
def way(sim: Sim) -> Array:
    """Return the direction in which the path continues, in the robot's frame, for the critic only, (n, 2)."""
    direction = np.zeros((sim.n, 3))
    direction[:, :2] = shortest_grid_paths.descent(
        sim.remember(rooms.TO_GO, shortest_grid_paths.SIDE, shortest_grid_paths.SIDE), sim.position(BASE)[:, :2]
    )
    found: Array = np.clip(to_frame(sim.pose(BASE)[1], direction)[:, :2], -2, 2)
    return found


def way_gained(sim: Sim) -> Array:
    """Return how much shorter the path to the goal around the obstacles became in this step, shape (n,) [m]."""
    sim.before_physics(TO_GO, _note_way)
    gained: Array = sim.remember(TO_GO) - to_go(sim)
    return gained


def _note_way(sim: Sim) -> None:
    sim.remember(TO_GO)[:] = to_go(sim)


def at_goal(sim: Sim) -> Array:
    """Return 1 within 0.2 m of the goal, else 0, shape (n,)."""
    return (goal_distance(sim) < PAID).astype(np.float64)


def too_near(sim: Sim) -> Array:
    """Return how far the shortest range of the lidar is below 0.35 m, as a share of 0.35 m, shape (n,)."""
    ranges = sim.sensors('lidar')
    nearest = np.where(ranges < 0, np.inf, ranges).min(axis=1)
    near: Array = np.maximum(NEAR - nearest, 0) / NEAR
    return near


@observe.term('speed', 'm/s', 'Odometry twist.twist.linear.x', names=('speed',), noise=0.02, scale=3.0)
def speed(sim: Sim) -> Array:
    """Return the forward speed, shape (n,) [m/s]."""
    forward: Array = sim.base.velocity[:, 0]
    return forward


@observe.term('turn', 'rad/s', 'Odometry twist.twist.angular.z', names=('turn',), noise=0.05, scale=0.5)
def turn(sim: Sim) -> Array:
    """Return the angular speed about the vertical, shape (n,) [rad/s]."""
    about: Array = sim.base.angular_velocity[:, 2]
    return about


def driving(recording: Recording) -> dict[str, float]:
    """
    Return ``reached``, the share of rooms in which the first goal is reached before any contact.

    ``collisions`` is the share of rooms with a contact before that. ``failed`` is the number of rooms with a contact at
    any time, also on the way to later goals. ``path_ratio`` is the length of a path that reached the goal divided by
    the shortest path on the grid, and ``time_s`` is its duration [s]; both are medians.
    """
    alive, metric = recording.alive, recording.metrics
    near = (metric['distance'] < WITHIN) & alive
    reached = near.any(axis=0)
    first = np.where(reached, near.argmax(axis=0), len(near) - 1)
    before = (np.arange(len(near))[:, None] <= first) & alive
    touched = ((metric['touched'] > 0) & before).any(axis=0)
    reached &= ~touched
    ratios = (metric['driven'] * before).sum(axis=0)[reached] / metric['shortest'][0][reached]
    return {
        'reached': float(reached.mean()),
        'collisions': float(touched.mean()),
        'path_ratio': float(np.median(ratios)) if len(ratios) else float('nan'),
        'time_s': float(np.median(first[reached] + 1) * recording.period) if reached.any() else float('nan'),
        'failed': int(recording.failed.sum()),
    }


TOUCHED = fail.touches('body')
FINE = dataclasses.replace(
    observe.lidar(sectors=36, range_max=1.0, noise=0.02), name='lidar_fine', entries=[f'fine.{i}' for i in range(36)]
)
"""The same scan a second time, up to 1 m and at twice the resolution, because centimetres matter there."""

ROVER = Task(
    name='rover',
    model=model('rover'),
    period=0.1,
    episode=40.0,
    start='home',
    act=act.twist('left_wheel', 'right_wheel', radius=0.03575, separation=0.233, linear=0.31, angular=1.9, gain=0.2),
    observe=[
        observe.lidar(sectors=18, range_max=4.0, noise=0.02),
        FINE,
        observe.goal(relative_to=BASE, frame=BASE, planar=True, scale=0.5),
        observe.goal(relative_to=BASE, frame=BASE, planar=True, within=CLOSE, scale=1 / CLOSE),
        speed,
        turn,
        observe.last_action(),
    ],
    critic=[to_go, way, stay, goal_distance],
    commands={'goal': command.goal(rooms.next_goal(MARGIN, FARTHER), when=stayed)},
    reward={
        way_gained: 10.0,
        at_goal: 0.5,
        too_near: -0.3,
        reward.collision('body'): -10.0,
        reward.action_rate(): -0.02,
    },
    fail=[TOUCHED],
    vary=[
        rooms.rooms('obstacle', RADIUS, margin=MARGIN, farther=FARTHER),
        vary.friction('wheel', (0.6, 1.0)),
        vary.payload(BASE, (0.0, 2.0)),
        vary.delay(action=(0, 1)),
    ],
    train_steps=600_000,
    metrics=[
        Term('distance', goal_distance, 'm'),
        Term('driven', lambda sim: np.linalg.norm(sim.free_joint.qvel[:, :2], axis=1) * sim.period, 'm'),
        Term('shortest', lambda sim: sim.remember(rooms.SHORTEST), 'm'),
        Term('touched', TOUCHED.compute, '', TOUCHED.prepare),
    ],
    score=driving,
)  # fmt: skip
