"""The arm's task: bring the tool to any goal that it can reach, and stay there."""

from copy import copy
from functools import cache

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.robots import model
from velora_ros.tasks import Task, act, command, curriculum, fail, metrics, observe, reward, vary
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.named_parts import bound
from velora_ros.tasks.record_episodes import Recording
from velora_ros.tasks.terms.command import since_change
from velora_ros.tasks.terms.term import Observation, Term

Mask = npt.NDArray[np.bool_]

TOOL, TURNED = 'tool', 'shoulder_link'
"""The shoulder's frame is at the base and turns with the first joint, so that all directions look alike."""
WITHIN, AFTER = 0.02, 2.0
"""A goal is reached if the tool is within this distance of it [m] at this time after the goal appeared [s]."""
CLOSE = 0.04
"""The goal is observed a second time, clipped to this distance from the tool [m]: millimetres matter there."""
LINKS = ('upper_arm_link', 'forearm_link', 'wrist_1_link', 'wrist_2_link', 'wrist_3_link')
PAIRS = [(link, 'floor') for link in LINKS[1:]]
"""Parts of the arm, each with what it can touch within the joints' limits."""
SEEN = 0.15  # m, the largest distance between the parts of a pair that the critic sees
SPEED = np.pi  # rad/s, the joints' limit
LIMITS = {'shoulder_lift': (-np.pi - 0.15, 0.15), 'elbow': (-2.4, 2.4), 'wrist_2': (-1.9, 1.9)}
"""Within these limits [rad], no part of the arm can touch another part, nor the upper arm the floor, in any pose."""
# Goals are drawn from poses with joints in these ranges [rad], in most of which the arm is above the floor.
LOWEST = np.array([-np.pi, -np.pi, -2.4, -np.pi, -1.9, -np.pi])
HIGHEST = np.array([np.pi, 0.0, 2.4, np.pi, 1.9, np.pi])
TURNS = 4.0  # rad; beyond this the first joint is rewarded for turning back


def free_poses(sim: Sim, ids: Ids, clearance: float = 0.0) -> tuple[Array, Array]:
    """
    Return random poses in which the arm touches nothing, (ids, joints) [rad], and the tool's positions, (ids, 3) [m].

    Args:
        sim: the simulations.
        ids: the simulations for which to draw poses.
        clearance: smallest distance between parts that could touch [m].
    """
    (compiled, data), places = _scratch(sim.model, clearance), sim.joints('*').places
    poses, tools, missing = np.zeros((len(ids), len(places))), np.zeros((len(ids), 3)), np.arange(len(ids))
    while len(missing):
        poses[missing] = sim.draws.uniform(ids[missing], LOWEST, HIGHEST, len(places))
        free = np.zeros(len(missing), bool)
        for row, which in enumerate(missing):
            data.qpos[places] = poses[which]
            mujoco.mj_kinematics(compiled, data)
            mujoco.mj_collision(compiled, data)
            free[row] = data.ncon == 0
            tools[which] = data.site(TOOL).xpos
        missing = missing[~free]
    return poses, tools


@cache
def _scratch(compiled: mujoco.MjModel, clearance: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Return a copy of the model in which parts closer than ``clearance`` [m] count as touching, and its data."""
    own = copy(compiled)
    own.geom_margin[:] = clearance / 2  # the margins of both geoms add up
    return own, mujoco.MjData(own)


def reachable(sim: Sim, ids: Ids) -> Array:
    """Return goals: positions of the tool in random poses in which the arm touches nothing, shape (ids, 3) [m]."""
    return free_poses(sim, ids)[1]


@vary.term('start', always=True)
def anywhere(sim: Sim, ids: Ids) -> None:
    """Begin in a random pose in which nothing is closer than 2 cm."""
    sim.qpos[np.ix_(ids, sim.joints('*').places)] = free_poses(sim, ids, 0.02)[0]


@observe.term('pull')
def pull(sim: Sim) -> Array:
    """Return how much each joint's motion brings the tool nearer to the goal, (n, joints) [m/rad]; for the critic."""
    joints, tool = sim.joints('*').ids, sim.position(TOOL)
    error = sim.command('goal')[:, :3] - tool
    direction = error / np.maximum(np.linalg.norm(error, axis=1, keepdims=True), 1e-3)
    anchors, axes = (bound(sim.batch, name)[:, joints] for name in ('xanchor', 'xaxis'))
    pulled: Array = np.einsum('njk,nk->nj', np.cross(axes, tool[:, None] - anchors), direction)
    return pulled


def goal_distance(sim: Sim) -> Array:
    """Return the distance of the tool from the goal, shape (n,) [m]."""
    return reward.distance(sim, TOOL)


def distances(sim: Sim) -> Array:
    """Return the distances between pairs of parts, at most 15 cm, (n, pairs) [m]; for the critic."""
    return sim.sensors('distance:*')


def touching(sim: Sim) -> Array:
    """Return 1 where a link touches another link or the floor, else 0, shape (n,)."""
    touched: Array = np.max([sim.sensor(f'contact:{link}')[:, 0] > 0 for link in LINKS], axis=0) * 1.0
    return touched


def at_goal(sim: Sim) -> Array:
    """Return 1 - tanh(d / 3 cm), (n,), with the tool's distance d from the goal; its slope at the goal is not zero."""
    near: Array = 1 - np.tanh(reward.distance(sim, TOOL) / 0.03)
    return near


def settled(sim: Sim) -> Array:
    """Return :func:`at_goal` divided by 1 + (speed of all joints / 0.5 rad/s)^2, shape (n,); it rewards rest."""
    speeds = sim.joints('*').velocity
    resting: Array = at_goal(sim) / (1 + np.einsum('nj,nj->n', speeds, speeds) / 0.25)
    return resting


def wound(sim: Sim) -> Array:
    """Return how far beyond 4 rad from zero the first joint is, shape (n,) [rad]; its range ends at a full turn."""
    beyond: Array = np.maximum(np.abs(sim.joints('shoulder_pan').position[:, 0]) - TURNS, 0)
    return beyond


def lag(sim: Sim) -> Array:
    """Return by how much the joints are behind their targets, (n, joints) [rad]; for the critic."""
    behind: Array = sim.ctrl - sim.joints('*').position
    return behind


def reaching(recording: Recording) -> dict[str, float]:
    """
    Return ``reached``, the share of goals from which the tool is at most 2 cm away 2 s after they appeared.

    A goal during which the arm touched something counts as missed; a goal that an episode's end cut short is ignored.
    ``error_m`` is the median distance after 2 s; ``held`` is the share of goals from which the tool is never farther
    than 2 cm between 2 s and the next goal; ``failed`` counts the simulations that touched something.
    """
    age, distance = recording.metrics['goal_age'], recording.metrics['distance']
    period, alive = recording.period, recording.alive
    judged = alive & (np.abs(age - AFTER) < period / 2)
    failing = np.zeros_like(alive)
    failing[recording.lengths - 1, np.arange(alive.shape[1])] = recording.failed
    missed = int((failing & (age < AFTER - period / 2)).sum())
    late = alive & (age > AFTER - period / 2)
    errors = distance[judged]
    goals = len(errors) + missed
    lost = _goals_with(late & ((distance > WITHIN) | failing), age)
    return {
        'reached': float((errors <= WITHIN).sum() / goals) if goals else 0.0,
        'error_m': float(np.median(errors)) if len(errors) else float('nan'),
        'held': (len(errors) - lost) / goals if goals else 0.0,
        'goals': goals,
        'failed': int(recording.failed.sum()),
        'fastest_rad_s': float(recording.metrics['joint_speed'][alive].max()),
        'at_limit': recording.mean('at_limit'),
        'action_change': recording.mean('action_change'),
    }


def _goals_with(where: Mask, age: Array) -> int:
    """Return the number of goals during which the mask ``where`` is true; a new goal begins where ``age`` falls."""
    number = np.zeros(age.shape, np.int64)
    number[1:] = np.cumsum(age[1:] < age[:-1], axis=0)
    simulation = np.broadcast_to(np.arange(age.shape[1]), age.shape)
    return len({*zip(simulation[where].tolist(), number[where].tolist(), strict=True)})


REACH = reward.reach(TOOL, width=0.1)

ARM = Task(
    name='arm',
    model=model('arm'),
    period=0.02,
    episode=10.0,
    start='home',
    act=act.joint_targets(
        scale={'wrist': 1.5, '*': 2.5}, mode='increment', speed_limit=SPEED, limits=LIMITS,
    ),
    observe=[
        observe.joint_positions('shoulder_pan', relative=False, noise=0.001, scale=1 / np.pi),
        observe.joint_angles('shoulder_lift', 'elbow', 'wrist_1', 'wrist_2', noise=0.001),
        observe.joint_velocities(noise=0.01, scale=1 / np.pi),
        observe.body_position(TOOL, relative_to=TURNED, noise=0.001),
        observe.goal(relative_to=TOOL, frame=TURNED, scale=2.0),
        observe.goal(relative_to=TOOL, frame=TURNED, within=CLOSE, scale=1 / CLOSE),
        observe.last_action(),
    ],
    critic=[
        pull, goal_distance, at_goal, Observation('distances', distances, scale=1 / SEEN),
        Observation('lag', lag, scale=5.0), curriculum.strength(),
    ],
    commands={'goal': command.goal(reachable, every=(2.5, 4.0))},
    reward={
        reward.progress(TOOL): 20.0,
        REACH: 1.0,
        at_goal: 1.0,
        settled: 1.0,
        touching: -20.0,
        reward.too_close(PAIRS, 0.05, seen=SEEN): -1.0,
        reward.joint_speeds(): -0.01,
        wound: -0.1,
        reward.action_rate(): -0.02,
        curriculum.late(reward.action_rate()): -0.03,
    },
    fail=[fail.touches(link) for link in LINKS],
    vary=[
        anywhere,
        vary.gains((0.9, 1.1)),
        vary.payload('wrist_3_link', (0.0, 1.0)),
        vary.delay(action=(0, 1)),
    ],
    curriculum=curriculum.Curriculum('reach', above=0.5),
    discount=0.97,
    train_steps=2_600_000,
    metrics=[
        REACH,
        metrics.goal_distance(TOOL),
        Term('goal_age', lambda sim: since_change(sim, 'goal'), 's'),
        Term('joint_speed', lambda sim: np.abs(sim.joints('*').velocity).max(axis=1), 'rad/s'),
        *metrics.effort(),
    ],
    score=reaching,
)  # fmt: skip
