"""
What is rewarded. Each function returns a term of shape (n,), usually at least 0; its weight makes it a cost or a gain.

The terms for walking follow Rudin et al. 2022, "Learning to Walk in Minutes" (arXiv 2109.11978), unless stated
otherwise. All use the command that the policy read. You can use your own function ``(sim) -> (n,)`` as a term.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from velora_ros.contract.gait_clock import moves
from velora_ros.tasks.actions.joint_actuators import actuator_id
from velora_ros.tasks.mujoco_simulations import Array, Sim
from velora_ros.tasks.named_parts import bound, index
from velora_ros.tasks.robot_model import RobotModel
from velora_ros.tasks.terms.term import Term

VARIANCE = 0.25
"""Width of the tracking rewards, exp(-error^2 / VARIANCE) [(m/s)^2 and (rad/s)^2]."""
MOVING = 0.1
"""A twist above this counts as a command to move [m/s and rad/s]."""
_FASTEST_SLIP = 1.0  # (m/s)^2; a foot that flies through a contact must not outweigh everything else
_SHORTEST, _LONGEST = -0.1, 0.2  # largest deviation of an air time from the wanted one that counts [s]


def track_linear(command: str = 'twist', variance: float = VARIANCE) -> Term:
    """Return exp(-|v - v*|^2 / variance) of the base's velocity in its own frame, x and y."""

    def compute(sim: Sim) -> Array:
        error = sim.base.velocity[:, :2] - sim.command(command)[:, :2]
        tracked: Array = np.exp(-np.einsum('ni,ni->n', error, error) / variance)
        return tracked

    return Term('track_linear', compute)


def track_yaw(command: str = 'twist', variance: float = VARIANCE) -> Term:
    """Return exp(-(w - w*)^2 / variance) of the base's angular velocity about its own z axis."""

    def compute(sim: Sim) -> Array:
        tracked: Array = np.exp(-((sim.base.angular_velocity[:, 2] - sim.command(command)[:, 2]) ** 2) / variance)
        return tracked

    return Term('track_yaw', compute)


def flat_base() -> Term:
    """Return the squared sine of the base's tilt, g_x^2 + g_y^2."""
    return Term('flat_base', lambda sim: _squares(sim.base.gravity[:, :2]))


def vertical_speed() -> Term:
    """Return the squared vertical speed of the base [(m/s)^2]."""
    return Term('vertical_speed', lambda sim: sim.base.velocity[:, 2] ** 2, '(m/s)^2')


def roll_pitch_rate() -> Term:
    """Return the squared angular velocity of the base about x and y [(rad/s)^2]."""
    return Term('roll_pitch_rate', lambda sim: _squares(sim.base.angular_velocity[:, :2]), '(rad/s)^2')


def action_rate() -> Term:
    """Return the squared change of the action, |a - a_last|^2."""
    return Term('action_rate', lambda sim: _squares(sim.action - sim.last_action))


def power(joints: str = '*') -> Term:
    """Return the sum of |torque * velocity| over joints [W]."""

    def compute(sim: Sim) -> Array:
        chosen = sim.joints(joints)
        spent: Array = np.abs(chosen.effort * chosen.velocity).sum(axis=1)
        return spent

    return Term('power', compute, 'W')


def efforts(joints: str = '*') -> Term:
    """Return the sum of squared efforts of joints [(N*m)^2]."""
    return Term('efforts', lambda sim: _squares(sim.joints(joints).effort), '(N*m)^2')


def joint_speeds(joints: str = '*') -> Term:
    """Return the sum of squared velocities of joints [(rad/s)^2]."""
    return Term('joint_speeds', lambda sim: _squares(sim.joints(joints).velocity), '(rad/s)^2')


def air_time(feet: str, wanted: float, command: str = 'twist') -> Term:
    """Return the air time minus ``wanted`` [s], summed over the feet that land; 0 while the command is zero."""

    def compute(sim: Sim) -> Array:
        swing = swings(sim, feet)
        landed = swing > 0
        gained = (np.clip(swing - wanted, _SHORTEST, _LONGEST) * landed).sum(axis=1)
        kept: Array = gained * moving(sim, command)
        return kept

    return Term('air_time', compute, 's', _contacts_of(feet, 'air_time'))


def slip(feet: str) -> Term:
    """Return the sum of the squared horizontal speeds of feet in contact, each clipped to 1 [(m/s)^2]."""

    def compute(sim: Sim) -> Array:
        velocity = sim.geom_velocities(feet)[:, :, :2]
        speeds = np.minimum(np.einsum('nfi,nfi->nf', velocity, velocity), _FASTEST_SLIP)
        slipped: Array = (speeds * sim.contacts(feet)).sum(axis=1)
        return slipped

    return Term('slip', compute, '(m/s)^2', motion_of(feet, 'slip'))


def foot_clearance(feet: str, height: float) -> Term:
    """Return the sum of (z - height)^2 * horizontal speed over feet, so that moving feet are lifted [m^3/s]."""

    def compute(sim: Sim) -> Array:
        velocity = sim.geom_velocities(feet)[:, :, :2]
        speed = np.sqrt(np.einsum('nfi,nfi->nf', velocity, velocity))
        missed: Array = ((sim.geom_positions(feet)[:, :, 2] - height) ** 2 * speed).sum(axis=1)
        return missed

    return Term('foot_clearance', compute, 'm^3/s', motion_of(feet, 'foot_clearance'))


def joint_limits(joints: str = '*', share: float = 0.9) -> Term:
    """Return how far joints are outside the given share of their range, summed [rad or m]."""

    def compute(sim: Sim) -> Array:
        chosen = sim.joints(joints)
        middle, half = (chosen.high + chosen.low) / 2, (chosen.high - chosen.low) / 2 * share
        bounded = np.isfinite(half)
        outside: Array = np.maximum(np.abs(chosen.position - middle) - half, 0)[:, bounded].sum(axis=1)
        return outside

    return Term('joint_limits', compute, 'rad')


def effort_limits(joints: str = '*', share: float = 0.9) -> Term:
    """Return how far the actuators' efforts exceed the given share of their limits, in shares of the limits, summed."""

    def compute(sim: Sim) -> Array:
        efforts, limits = actuator_efforts(sim, joints)
        over: Array = np.maximum(np.abs(efforts) / limits - share, 0).sum(axis=1)
        return over

    return Term('effort_limits', compute)


def height(wanted: float) -> Term:
    """Return the squared distance of the base from a height [m^2]."""
    return Term('height', lambda sim: (sim.free_joint.qpos[:, 2] - wanted) ** 2, 'm^2')


def pose(joints: str = '*') -> Term:
    """Return the squared distance of joints from the start pose, summed [rad^2]."""

    def compute(sim: Sim) -> Array:
        chosen = sim.joints(joints)
        return _squares(chosen.position - sim.start_qpos[chosen.places])

    return Term('pose', compute, 'rad^2')


def reach(body: str, command: str = 'goal', width: float = 0.1) -> Term:
    """Return 1 - tanh(distance / width) of a body or site from the goal."""
    return Term('reach', lambda sim: 1 - np.tanh(distance(sim, body, command) / width))


def progress(body: str, command: str = 'goal', *, planar: bool = False) -> Term:
    """Return how much smaller the distance to the goal became in this step [m]."""
    key = f'before: {body}'

    def note(sim: Sim) -> None:
        sim.remember(key, 3)[:] = sim.position(body)

    def compute(sim: Sim) -> Array:
        sim.before_physics(key, note)
        size, goal = 2 if planar else 3, sim.command(command)
        before = np.linalg.norm(goal[:, :size] - sim.remember(key, 3)[:, :size], axis=1)
        gained: Array = before - np.linalg.norm(goal[:, :size] - sim.position(body)[:, :size], axis=1)
        return gained

    return Term('progress', compute, 'm')


def collision(first: str, second: str = '') -> Term:
    """Return 1 while a geom or body touches a second geom or body, or anything if no second name is given, else 0."""
    name = f'contact:{first}:{second}' if second else f'contact:{first}'

    def prepare(model: RobotModel) -> Any:
        return model.contact(first, second, 'collision')

    return Term('collision', lambda sim: (sim.sensor(name)[:, 0] > 0) * 1.0, '', prepare)


def too_close(pairs: Sequence[tuple[str, str]], margin: float, *, seen: float = 0.0) -> Term:
    """
    Return by how much pairs of geoms or bodies are closer than a margin, in shares of the margin, summed.

    Args:
        pairs: the names of each pair.
        margin: the distance below which a pair counts [m].
        seen: the largest distance that the sensors ``distance:first:second`` measure, for a critic [m]; 0: the margin.
    """

    def prepare(model: RobotModel) -> None:
        for first, second in pairs:
            model.distance(first, second, max(margin, seen), 'reward.too_close')

    def compute(sim: Sim) -> Array:
        distances = [sim.sensor(f'distance:{first}:{second}')[:, 0] for first, second in pairs]
        missing: Array = sum((np.maximum(1 - one / margin, 0) for one in distances), np.zeros(sim.n))
        return missing

    return Term('too_close', compute, '', prepare)


def alive() -> Term:
    """Return 1 in every step."""
    return Term('alive', lambda sim: np.ones(sim.n))


def distance(sim: Sim, body: str, command: str = 'goal') -> Array:
    """Return the distance of a body or site from the goal, shape (n,) [m]."""
    found: Array = np.linalg.norm(sim.command(command)[:, :3] - sim.position(body), axis=1)
    return found


def moving(sim: Sim, command: str = 'twist') -> Any:
    """Return which simulations are commanded to move, shape (n,)."""
    return moves(sim.command(command), MOVING)


def swings(sim: Sim, feet: str) -> Array:
    """Return the air time of feet that landed in this step, 0 for all others, shape (n, feet) [s]."""
    air, swing, size = f'air: {feet}', f'swing: {feet}', len(sim.geoms(feet))

    def update(sim: Sim) -> None:
        flown, touching = sim.remember(air, size), sim.contacts(feet)
        sim.remember(swing, size)[:] = flown * touching
        flown[:] = (flown + sim.period) * ~touching

    sim.after_physics(swing, update)
    return sim.remember(swing, size)


def actuator_efforts(sim: Sim, joints: str) -> tuple[Array, Array]:
    """Return the efforts of the joints' actuators and their limits, (n, joints) and (joints,) [N*m or N]."""
    key = f'actuators {joints}'
    if key not in sim.constants:
        found = [i for i in (actuator_id(sim, name) for name in sim.joints(joints).names) if i is not None]
        limited = sim.model.actuator_forcelimited[found].astype(bool)
        sim.constants[key] = index(found), np.where(limited, sim.model.actuator_forcerange[found, 1], np.inf)
    places, limits = sim.constants[key]
    return bound(sim.batch, 'actuator_force')[:, places], limits


def _squares(values: Array) -> Array:
    summed: Array = np.einsum('ni,ni->n', values, values)
    return summed


def _contacts_of(feet: str, term: str) -> Any:
    def prepare(model: RobotModel) -> None:
        for name in model.geom_names(feet, term):
            model.contact(name)

    return prepare


def motion_of(feet: str, term: str) -> Any:
    """Return a function that prepares a model for a term that reads contacts and velocities of feet."""

    def prepare(model: RobotModel) -> None:
        for name in model.geom_names(feet, term):
            model.contact(name)
            model.geom_velocity(name)

    return prepare
