"""
What differs from episode to episode and from simulation to simulation, drawn from the run's seed.

Each function returns a :class:`Variation`. ``infos['drawn']`` contains what was drawn for an episode. With
``undisturbed=True``, :meth:`velora_ros.tasks.Task.make_vec` switches all variations off that are not ``always`` on.
Make your own variation with :func:`term` from a function ``(sim, ids) -> what was drawn`` that writes the state or
fields of ``sim.batch`` for these simulations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.name_patterns import select
from velora_ros.tasks.robot_model import RobotModel
from velora_ros.tasks.terms.term import Prepare, nothing

Range = tuple[float, float]
Begin = Callable[[Sim, Ids], Any]

FIRST, SECOND, THIRD = (np.array([i]) for i in range(3))
_ON_JOINTS = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))


@dataclass(frozen=True, eq=False)
class Variation:
    """
    A part of the simulation that varies.

    Args:
        name: name of the variation in ``infos['drawn']``.
        begin: called when episodes begin, after the start pose was written: ``(sim, ids) -> what was drawn``, shape
            (ids, ...), or None.
        step: called before the physics of each step.
        prepare: changes the model before it is compiled.
        fields: fields of the model that the variation writes; the model's values are restored when it is switched off.
        constants: whether other constants of the model depend on these fields, as they do on masses.
        always: whether the variation stays on when disturbances are switched off.
    """

    name: str
    begin: Begin = lambda sim, ids: None
    step: Callable[[Sim], None] | None = None
    prepare: Prepare = nothing
    fields: Sequence[str] = ()
    constants: bool = False
    always: bool = False
    detail: str = ''
    """What is drawn, for tables."""


@dataclass(frozen=True, eq=False)
class Delay(Variation):
    """Delays of actions and sensed observations, in periods, drawn for each episode."""

    action: tuple[int, int] = (0, 0)
    observation: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Period(Variation):
    """Durations of steps, as factors of the period, drawn for each step."""

    by: Range = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class DroppedFrames(Variation):
    """Share of steps in which the sensed observations keep their previous values."""

    probability: float = 0.0


@dataclass(frozen=True, eq=False)
class Bias(Variation):
    """Errors of observations that are constant in an episode."""

    observation: str = ''
    deviation: float = 0.0


def term(
    name: str = '', *, fields: Sequence[str] = (), constants: bool = False, always: bool = False
) -> Callable[[Begin], Variation]:
    """Return a decorator that makes a variation of a function ``(sim, ids) -> what was drawn``; see Variation."""

    def decorate(begin: Begin) -> Variation:
        found = name or getattr(begin, '__name__', 'term')
        return Variation(found, begin, fields=fields, constants=constants, always=always)

    return decorate


def start_pose(*, joints: float = 0.0, velocities: float = 0.0, yaw: float = 0.0, place: float = 0.0) -> Variation:
    """
    Vary the start pose, even when disturbances are switched off.

    Args:
        joints: largest distance of a joint from the start pose [rad or m].
        velocities: largest velocity of each degree of freedom [rad/s or m/s].
        yaw: largest angle by which a floating base is turned about the vertical [rad].
        place: largest displacement of a floating base along x and along y [m].
    """

    def begin(sim: Sim, ids: Ids) -> None:
        chosen, model = sim.joints('*'), sim.model
        moved = sim.draws.uniform(ids, -joints, joints, len(chosen.places))
        start = sim.qpos[np.ix_(ids, chosen.places)] + moved
        sim.qpos[np.ix_(ids, chosen.places)] = np.clip(start, chosen.low, chosen.high)
        if velocities:
            sim.qvel[ids] += sim.draws.uniform(ids, -velocities, velocities, model.nv)
        if yaw or place:
            pose = sim.free_joint.qpos
            pose[ids, :2] += sim.draws.uniform(ids, -place, place, 2)
            half = sim.draws.uniform(ids, -yaw, yaw, 1)[:, 0] / 2
            pose[ids, 3:7] = _turned(half, pose[ids, 3:7])

    detail = f'joints {joints:g}, velocities {velocities:g}, yaw {yaw:g} rad, place {place:g} m'
    return Variation('start_pose', begin, always=True, detail=detail)


def friction(geoms: str, to: Range) -> Variation:
    """Draw the sliding friction of geoms from the range ``to``, one number for all, used in all their contacts."""
    _check('friction', to, least=0.0)

    def prepare(model: RobotModel) -> None:
        names = set(model.geom_names(geoms, 'vary.friction'))
        others = max((geom.priority for geom in model.spec.geoms if geom.name not in names), default=0)
        for geom in model.spec.geoms:
            if geom.name in names:
                geom.priority = max(geom.priority, others + 1)

    def begin(sim: Sim, ids: Ids) -> Array:
        places = [sim.model.geom(name).id for name in sim.geoms(geoms)]
        drawn = sim.weaken(ids, sim.draws.uniform(ids, *to, 1), sim.model.geom_friction[places, 0])
        sim.batch.expand('geom_friction')[np.ix_(ids, places, FIRST)] = drawn[:, :, None]
        return drawn[:, 0]

    return Variation('friction', begin, prepare=prepare, fields=['geom_friction'], detail=_range(to, geoms))


def mass(bodies: str, by: Range) -> Variation:
    """Draw a factor for the mass and inertia of each body from the range ``by``."""
    _check('mass', by, least=1e-3)

    def begin(sim: Sim, ids: Ids) -> Array:
        places = _bodies(sim, bodies, 'vary.mass')
        factors = _factors(sim, ids, by, len(places))
        sim.batch.expand('body_mass')[np.ix_(ids, places)] = sim.model.body_mass[places] * factors
        inertias = sim.model.body_inertia[places] * factors[:, :, None]
        sim.batch.expand('body_inertia')[np.ix_(ids, places)] = inertias
        return factors

    fields = ['body_mass', 'body_inertia']
    return Variation('mass', begin, fields=fields, constants=True, detail=_range(by, bodies, factor=True))


def payload(body: str, mass: Range) -> Variation:
    """Draw a mass from the range ``mass`` [kg] and add it to a body at its centre of mass."""
    _check('payload', mass)

    def begin(sim: Sim, ids: Ids) -> Array:
        place = _bodies(sim, body, 'vary.payload')[:1]
        drawn = sim.weaken(ids, sim.draws.uniform(ids, *mass, 1), 0.0)
        sim.batch.expand('body_mass')[np.ix_(ids, place)] = sim.model.body_mass[place] + drawn
        return drawn[:, 0]

    return Variation('payload', begin, fields=['body_mass'], constants=True, detail=f'{_range(mass, body)} kg')


def com(body: str, by: float) -> Variation:
    """Draw a displacement of a body's centre of mass along each axis, at most ``by`` [m]."""

    def begin(sim: Sim, ids: Ids) -> Array:
        place = _bodies(sim, body, 'vary.com')[0]
        moved = sim.weaken(ids, sim.draws.uniform(ids, -by, by, 3), 0.0)
        sim.batch.expand('body_ipos')[ids, place] = sim.model.body_ipos[place] + moved
        return moved

    return Variation('com', begin, fields=['body_ipos'], constants=True, detail=f'{body} by at most {by:g} m')


def gains(by: Range, joints: str = '*') -> Variation:
    """Draw a factor for the stiffness and a factor for the damping of each actuator from the range ``by``."""
    _check('gains', by, least=1e-3)

    def begin(sim: Sim, ids: Ids) -> Array:
        places = _actuators(sim, joints, 'vary.gains')
        stiff, damp = _factors(sim, ids, by, len(places)), _factors(sim, ids, by, len(places))
        gain, bias = sim.batch.expand('actuator_gainprm'), sim.batch.expand('actuator_biasprm')
        gain[np.ix_(ids, places, FIRST)] = (sim.model.actuator_gainprm[places, 0] * stiff)[:, :, None]
        bias[np.ix_(ids, places, SECOND)] = (sim.model.actuator_biasprm[places, 1] * stiff)[:, :, None]
        bias[np.ix_(ids, places, THIRD)] = (sim.model.actuator_biasprm[places, 2] * damp)[:, :, None]
        return np.concatenate([stiff, damp], axis=1)

    fields = ['actuator_gainprm', 'actuator_biasprm']
    return Variation('gains', begin, fields=fields, detail=_range(by, joints, factor=True))


def armature(by: Range, joints: str = '*') -> Variation:
    """Draw a factor for the inertia of each joint's rotor from the range ``by``."""
    _check('armature', by, least=1e-3)

    def begin(sim: Sim, ids: Ids) -> Array:
        places = sim.joints(joints).dofs
        factors = _factors(sim, ids, by, len(places))
        sim.batch.expand('dof_armature')[np.ix_(ids, places)] = sim.model.dof_armature[places] * factors
        return factors

    detail = _range(by, joints, factor=True)
    return Variation('armature', begin, fields=['dof_armature'], constants=True, detail=detail)


def effort_limit(by: Range, joints: str = '*') -> Variation:
    """Draw a factor for the largest effort of each actuator from the range ``by``."""
    _check('effort_limit', by, least=1e-3)

    def begin(sim: Sim, ids: Ids) -> Array:
        places = _actuators(sim, joints, 'vary.effort_limit')
        if not (limited := sim.model.actuator_forcelimited[places].astype(bool)).all():
            name = sim.model.actuator(int(places[np.argmin(limited)])).name
            raise TaskError(f"vary.effort_limit: the actuator '{name}' has no forcerange; give it one in the model.")
        factors = _factors(sim, ids, by, len(places))
        limits = sim.model.actuator_forcerange[places] * factors[:, :, None]
        sim.batch.expand('actuator_forcerange')[np.ix_(ids, places)] = limits
        return factors

    detail = _range(by, joints, factor=True)
    return Variation('effort_limit', begin, fields=['actuator_forcerange'], detail=detail)


def push(speed: float, *, every: Range) -> Variation:
    """
    Push a floating base: its horizontal velocity changes instantly, in a random direction.

    Args:
        speed: largest change [m/s].
        every: shortest and longest time between two pushes [s].
    """
    _check('push', every, least=1e-3)
    key = 'push: next at'

    def begin(sim: Sim, ids: Ids) -> None:
        sim.remember(PUSHED)[ids] = -np.inf
        sim.remember(key)[ids] = sim.draws.uniform(ids, *every, 1)[:, 0]

    def step(sim: Sim) -> None:
        due = np.flatnonzero(sim.time >= sim.remember(key))
        if not len(due):
            return
        size, angle = sim.draws.uniform(due, 0, 1, 2).T
        size = speed * np.sqrt(size) * sim.strength[due]
        angle = 2 * np.pi * angle
        sim.free_joint.qvel[due, :2] += np.stack([size * np.cos(angle), size * np.sin(angle)], axis=1)
        sim.remember(PUSHED)[due] = sim.time[due]
        sim.remember(key)[due] = sim.time[due] + sim.draws.uniform(due, *every, 1)[:, 0]

    return Variation('push', begin, step, detail=f'at most {speed:g} m/s every {every[0]:g} to {every[1]:g} s')


PUSHED = 'push: last at'
"""In ``sim.memory``: the time of the last push, -inf before the first one."""


def delay(action: tuple[int, int] = (0, 0), observation: tuple[int, int] = (0, 0)) -> Delay:
    """Draw the delays of actions and of sensed observations for each episode, in periods: (shortest, longest)."""
    for name, given in (('action', action), ('observation', observation)):
        if not (0 <= given[0] <= given[1]) or any(int(one) != one for one in given):
            raise TaskError(f'vary.delay: {name} is {given}; give two whole numbers of periods.')
    detail = f'actions {action[0]} to {action[1]} periods, observations {observation[0]} to {observation[1]}'
    return Delay('delay', action=action, observation=observation, detail=detail)


def period(by: Range) -> Period:
    """Draw the duration of each step, in periods, from the range ``by``; ``infos['dt']`` contains it in seconds."""
    _check('period', by, least=0.1)
    return Period('period', by=by, fields=['opt.timestep'], detail=_range(by, '*', factor=True))


def drop_frames(probability: float) -> DroppedFrames:
    """Drop the observations of sensors in a share of the steps: they keep their previous values."""
    if not 0 <= probability < 1:
        raise TaskError(f'vary.drop_frames: the probability is {probability}; it must be in [0, 1).')
    return DroppedFrames('drop_frames', probability=probability, detail=f'{100 * probability:g} %')


def bias(observation: str, deviation: float) -> Bias:
    """Add to the named observation an error that is constant in an episode, with this standard deviation."""
    return Bias('bias', observation=observation, deviation=deviation, detail=f'{observation} {deviation:g}')


def _factors(sim: Sim, ids: Ids, by: Range, size: int) -> Array:
    return sim.weaken(ids, sim.draws.uniform(ids, *by, size), 1.0)


def _range(given: Range, names: str, *, factor: bool = False) -> str:
    what = '' if names == '*' else f'{names} '
    return f'{what}{"times " if factor else ""}{given[0]:g} to {given[1]:g}'


def _check(name: str, given: Range, least: float = -np.inf) -> None:
    if len(given) != 2 or not (least <= given[0] <= given[1]) or not np.isfinite(given[1]):
        at_least = '' if least == -np.inf else f', at least {least:g}'
        raise TaskError(f'vary.{name}: the range is {given}; give (lowest, highest){at_least}.')


def _bodies(sim: Sim, pattern: str, term: str) -> npt.NDArray[np.intp]:
    return np.array([sim.model.body(name).id for name in select(pattern, sim.names('body'), 'body', term)], np.intp)


def _actuators(sim: Sim, joints: str, term: str) -> npt.NDArray[np.intp]:
    chosen = set(sim.joints(joints).ids.tolist())
    moved, kinds = sim.model.actuator_trnid[:, 0].tolist(), sim.model.actuator_trntype.tolist()
    found = [i for i in range(sim.model.nu) if kinds[i] in _ON_JOINTS and moved[i] in chosen]
    if not found:
        raise TaskError(f"{term}: no actuator drives a joint that '{joints}' selects; give another pattern.")
    return np.array(found, np.intp)


def _turned(half: Array, quaternion: Array) -> Array:
    """Return quaternions turned about the vertical by twice the angle ``half``."""
    cos, sin = np.cos(half), np.sin(half)
    w, x, y, z = quaternion.T
    found: Array = np.stack([cos * w - sin * z, cos * x - sin * y, cos * y + sin * x, cos * z + sin * w], axis=1)
    return found
