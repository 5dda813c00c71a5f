r"""
The rover's task with the reward of a well-known TD3 project for navigation, in the same rooms.

    velora_ros train --task benchmarks/task_variants/rover_td3_reward.py:ROVER --steps 600000 --seed 100 \
        --config config/train/rover-tuned.yaml --reward-scale 0.1

Cimurs et al. 2022, "Goal-Driven Autonomous Exploration Through Deep Reinforcement Learning" (IEEE RA-L 7(2)), reward of
its published code: 100 at the goal, -100 for a contact, otherwise v / 2 - |w| / 2 - max(1 - nearest range, 0) / 2, with
the linear action v from 0 to 1 and the angular action w from -1 to 1. There the episode ends at the goal; here the next
goal follows.
"""

import dataclasses

import numpy as np

from velora_ros.tasks import command, reward, rooms, rover
from velora_ros.tasks.mujoco_simulations import Array, Sim

REACHED = 100.0


def arrived(sim: Sim) -> rover.Mask:
    """Return which robots are at their goal, shape (n,)."""
    there: rover.Mask = rover.goal_distance(sim) < rover.WITHIN
    return there


def at_goal(sim: Sim) -> Array:
    """Return 1 in the step in which a robot arrives at its goal, else 0, shape (n,)."""
    return arrived(sim).astype(np.float64)


def driving(sim: Sim) -> Array:
    """Return v / 2 - |w| / 2 - max(1 - nearest range, 0) / 2 between the goals, shape (n,)."""
    forward, turn = (sim.action[:, 0] + 1) / 2, np.abs(sim.action[:, 1])
    ranges = sim.sensors('lidar')
    nearest = np.where(ranges < 0, np.inf, ranges).min(axis=1)
    paid: Array = (forward - turn - np.maximum(1 - nearest, 0)) / 2 * ~arrived(sim)
    return paid


ROVER = dataclasses.replace(
    rover.ROVER,
    commands={'goal': command.goal(rooms.next_goal(rover.MARGIN, rover.FARTHER), when=arrived)},
    reward={at_goal: REACHED, reward.collision('body'): -REACHED, driving: 1.0},
)
