"""What an evaluation measures besides the reward: terms of shape (n,) or (n, k), reported in ``infos['metrics']``."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from velora_ros.tasks.mujoco_simulations import Sim
from velora_ros.tasks.terms import reward
from velora_ros.tasks.terms.command import since_change
from velora_ros.tasks.terms.term import Term
from velora_ros.tasks.terms.vary import PUSHED

SETTLING_S = 0.5
"""Time after a command change or a push before tracking is judged [s]."""
AT_LIMIT = 0.99
"""Share of an actuator's largest effort at which it counts as being at its limit."""


def tracking(command: str = 'twist') -> list[Term]:
    """
    Return how well a twist is followed: ``tracking`` and ``yaw_tracking``, each exp(-error^2 / 0.25).

    ``settled`` is 1 if the last change of the command and the last push were at least 0.5 s ago; ``moving`` is 1 if the
    command is not zero.
    """
    return [
        Term('tracking', reward.track_linear(command).compute),
        Term('yaw_tracking', reward.track_yaw(command).compute),
        Term('settled', lambda sim: settled(sim, command) * 1.0),
        Term('moving', lambda sim: reward.moving(sim, command) * 1.0),
    ]


def gait(feet: str) -> list[Term]:
    """Return, per foot: ``contact`` (0 or 1), ``foot_speed`` along the floor [m/s], ``air_time`` on landing [s]."""
    prepare = reward.motion_of(feet, 'metrics.gait')
    return [
        Term('contact', lambda sim: sim.contacts(feet) * 1.0, '', prepare),
        Term('foot_speed', lambda sim: np.linalg.norm(sim.geom_velocities(feet)[:, :, :2], axis=2), 'm/s', prepare),
        Term('air_time', lambda sim: reward.swings(sim, feet), 's', prepare),
    ]


def effort(joints: str = '*') -> list[Term]:
    """Return ``action_change``, the mean |a - a_last|, and ``at_limit``, the share of actuators at their limit."""

    def at_limit(sim: Sim) -> Any:
        efforts, limits = reward.actuator_efforts(sim, joints)
        return (np.abs(efforts) >= AT_LIMIT * limits).mean(axis=1)

    return [
        Term('action_change', lambda sim: np.abs(sim.action - sim.last_action).mean(axis=1)),
        Term('at_limit', at_limit),
    ]


def walking(feet: str, command: str = 'twist') -> Sequence[Term]:
    """Return all metrics of a legged robot that follows a twist."""
    return [*tracking(command), *gait(feet), *effort()]


def goal_distance(body: str, command: str = 'goal') -> Term:
    """Return ``distance`` of a body or site from the goal [m]."""
    return Term('distance', lambda sim: reward.distance(sim, body, command), 'm')


def settled(sim: Sim, command: str) -> Any:
    """Return which simulations have had neither a new command nor a push for half a second, shape (n,)."""
    calm = since_change(sim, command) >= SETTLING_S
    if PUSHED in sim.memory:
        calm &= sim.time - sim.memory[PUSHED] >= SETTLING_S
    return calm
