"""The arm's task: bring the tool to any goal that it can reach, and stay there."""

from functools import cache

import mujoco
import numpy as np

from velora_ros.robots import model
from velora_ros.tasks import Task, act, command, fail, metrics, observe, reward, vary
from velora_ros.tasks.command import since_change
from velora_ros.tasks.recording import Recording
from velora_ros.tasks.sim import Array, Ids, Sim
from velora_ros.tasks.terms import Term

TOOL, BASE = 'tool', 'base_link'
WITHIN, AFTER = 0.02, 2.0
"""A goal is reached if the tool is within this distance [m] from this time on [s]."""
SPEED = np.pi  # rad/s, the joints' limit
# Goals are poses of the arm with joints in these ranges [rad], so that the arm is above the floor more often than not.
LOWEST = np.array([-np.pi, -np.pi, -2.8, -np.pi, -np.pi, -np.pi])
HIGHEST = np.array([np.pi, 0.0, 2.8, np.pi, np.pi, np.pi])


def reachable(sim: Sim, ids: Ids) -> Array:
    """Return goals: where the tool is in random poses in which the arm touches nothing, shape (ids, 3) [m]."""
    data, places = _scratch(sim.model), sim.joints('*').places
    goals, missing = np.zeros((len(ids), 3)), np.arange(len(ids))
    while len(missing):
        poses = sim.draws.uniform(ids[missing], LOWEST, HIGHEST, len(places))
        free = np.zeros(len(missing), bool)
        for row, pose in enumerate(poses):
            data.qpos[places] = pose
            mujoco.mj_kinematics(sim.model, data)
            mujoco.mj_collision(sim.model, data)
            free[row] = data.ncon == 0
            goals[missing[row]] = data.site(TOOL).xpos
        missing = missing[~free]
    return goals


@cache
def _scratch(compiled: mujoco.MjModel) -> mujoco.MjData:
    return mujoco.MjData(compiled)


def at_goal(sim: Sim) -> Array:
    """Return exp(-(distance / 3 cm)^2) of the tool from the goal."""
    near: Array = np.exp(-((reward.distance(sim, TOOL) / 0.03) ** 2))
    return near


def reaching(recording: Recording) -> dict[str, float]:
    """
    Return ``reached``, the share of goals that are at most 2 cm from the tool when the next comes, at least 2 s later.

    ``error_m`` is the median distance then; ``goals`` counts them, ``failed`` the simulations that touched something.
    """
    age, distance = recording.metrics['goal_age'], recording.metrics['distance']
    follows = np.zeros_like(recording.alive)
    follows[:-1] = recording.alive[1:] & (age[1:] > age[:-1])  # the next step still has the same goal
    last = recording.alive & ~follows & (age >= AFTER)
    errors = distance[last]
    return {
        'reached': float((errors <= WITHIN).mean()) if len(errors) else 0.0,
        'error_m': float(np.median(errors)) if len(errors) else float('nan'),
        'goals': len(errors),
        'failed': int(recording.failed.sum()),
        'fastest_rad_s': float(recording.metrics['joint_speed'][recording.alive].max()),
        'at_limit': recording.mean('at_limit'),
    }


LINKS = ('upper_arm_link', 'forearm_link', 'wrist_1_link', 'wrist_2_link', 'wrist_3_link')

ARM = Task(
    name='arm',
    model=model('arm'),
    period=0.02,
    episode=10.0,
    start='home',
    act=act.joint_targets(scale=2.0, mode='increment', speed_limit=SPEED),
    observe=[
        observe.joint_positions(relative=False, noise=0.001, scale=1 / np.pi),
        observe.joint_velocities(noise=0.01, scale=1 / np.pi),
        observe.body_position(TOOL, relative_to=BASE, noise=0.001),
        observe.goal(relative_to=TOOL, scale=2.0),
        observe.last_action(),
    ],
    commands={'goal': command.goal(reachable, every=(2.5, 4.0))},
    reward={
        reward.reach(TOOL, width=0.3): 1.0,
        at_goal: 1.0,
        reward.joint_speeds(): -0.002,
        reward.action_rate(): -0.02,
    },
    reward_floor=0.0,
    fail=[fail.touches(link) for link in LINKS],
    vary=[
        vary.start_pose(joints=0.3),
        vary.gains((0.9, 1.1)),
        vary.payload('wrist_3_link', (0.0, 1.0)),
        vary.delay(action=(0, 1)),
    ],
    metrics=[
        metrics.goal_distance(TOOL),
        Term('goal_age', lambda sim: since_change(sim, 'goal'), 's'),
        Term('joint_speed', lambda sim: np.abs(sim.joints('*').velocity).max(axis=1), 'rad/s'),
        *metrics.effort(),
    ],
    score=reaching,
)  # fmt: skip
