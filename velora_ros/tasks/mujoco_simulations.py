"""``Sim``: the terms' view of n simulations of one model; all arrays have a leading axis of length n."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt
from mujoco.batch import Batch

from velora_ros.contract.orientations import gravity, matrices, to_frame
from velora_ros.errors import TaskError, did_you_mean
from velora_ros.spec import Source
from velora_ros.tasks.name_patterns import select, unknown
from velora_ros.tasks.named_parts import Joints, View, bound, index
from velora_ros.tasks.random_numbers import Draws

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]

_SINGLE_AXIS = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))


class Base(NamedTuple):
    """The motion of a floating base in its own frame, as an inertial sensor measures it."""

    velocity: Array
    """Velocity of the body's origin, shape (n, 3) [m/s]."""
    angular_velocity: Array
    """Angular velocity, shape (n, 3) [rad/s]."""
    gravity: Array
    """Direction of gravity, of length 1: (0, 0, -1) where the base is upright, shape (n, 3)."""


class Sim:
    """
    n simulations of one model, with the task's data about them.

    After a step, positions, velocities and the sensors that depend on them belong to the new state; forces and
    accelerations are one physics step older.

    Args:
        model: the compiled model.
        n: number of simulations.
        period: time between two observations [s].
        threads: threads of the physics; 0: one for each CPU that this process may use. The results do not depend on
            this number.
    """

    def __init__(self, model: mujoco.MjModel, n: int, period: float, threads: int = 0) -> None:
        self.model, self.n, self.period = model, n, period
        threads = threads or len(os.sched_getaffinity(0))
        self.batch = Batch(model, nsim=n, nthread=min(threads, n), persistent=True)
        self.draws = Draws(n)
        self.steps = np.zeros(n, np.int64)
        """Steps since the episode began, shape (n,)."""
        self.action: Array = np.zeros((n, 0))
        """The newest action in [-1, 1], after noise and clipping and before any delay, shape (n, action)."""
        self.last_action: Array = np.zeros((n, 0))
        """The action before ``action``, shape (n, action)."""
        self.commands: dict[str, Array] = {}
        """The commands that the policy read, by name, each of shape (n, entries)."""
        self.command_entries: dict[str, tuple[tuple[str, str], ...]] = {}
        """Name and unit of each entry of each command."""
        self.strength: Array = np.ones(n)
        """Strength of the variation, in [0, 1], shape (n,): 1 without a curriculum, 0 without disturbances."""
        self.command_sources: dict[str, Source] = {}
        """Where a robot provides each command, by name; only commands that a ROS message carries."""
        self.drawn: dict[str, Array] = {}
        """What was drawn for the episode, by the term's name, each of shape (n, ...)."""
        self.memory: dict[str, Array] = {}
        """Arrays that terms keep from step to step, each of shape (n, ...); zero when an episode begins."""
        self.constants: dict[str, Any] = {}
        """Values that terms look up only once, such as indices into arrays."""
        self.everyone = np.arange(n)
        self.start_qpos: Array = model.qpos0.copy()
        """Positions of the start pose, shape (nq,)."""
        self._template = mujoco.MjData(model)
        self._views: dict[tuple[str, str], View] = {}
        self._joints: dict[str, Joints] = {}
        self._geoms: dict[str, tuple[str, ...]] = {}
        self._places: dict[str, Any] = {}
        self._poses: dict[str, tuple[Array, Array]] = {}
        self._once: dict[str, Any] = {}
        self._earlier: dict[str, Callable[[Sim], None]] = {}
        self._updates: dict[str, Callable[[Sim], None]] = {}

    @cached_property
    def qpos(self) -> Array:
        """Positions, shape (n, nq); writing them changes the state."""
        return bound(self.batch, 'qpos')

    @cached_property
    def qvel(self) -> Array:
        """Velocities, shape (n, nv); for a free joint: linear in the world's frame, angular in the body's frame."""
        return bound(self.batch, 'qvel')

    @cached_property
    def ctrl(self) -> Array:
        """Controls of the actuators, shape (n, nu)."""
        return bound(self.batch, 'ctrl')

    @cached_property
    def sensordata(self) -> Array:
        """Values of all sensors, shape (n, nsensordata)."""
        return bound(self.batch, 'sensordata')

    @property
    def time(self) -> Array:
        """Time since the episode began, shape (n,) [s]."""
        found: Array = np.multiply(self.steps, self.period, dtype=np.float64)
        return found

    def joint(self, name: str) -> View:
        """Return a joint: ``sim.joint('knee').qpos`` is (n, 1)."""
        return self._view('joint', name)

    def body(self, name: str) -> View:
        """Return a body: ``sim.body('trunk').xpos`` is (n, 3)."""
        return self._view('body', name)

    def geom(self, name: str) -> View:
        """Return a geom: ``sim.geom('foot').xpos`` is (n, 3)."""
        return self._view('geom', name)

    def site(self, name: str) -> View:
        """Return a site: ``sim.site('tool').xpos`` is (n, 3)."""
        return self._view('site', name)

    def actuator(self, name: str) -> View:
        """Return an actuator: ``sim.actuator('knee').force`` is (n, 1)."""
        return self._view('actuator', name)

    def sensor(self, name: str) -> Array:
        """Return the values of a sensor, shape (n, size)."""
        if name not in self._places:
            view = self._view('sensor', name)
            start = int(self.model.sensor_adr[view.id])
            self._places[name] = slice(start, start + int(self.model.sensor_dim[view.id]))
        return self.sensordata[:, self._places[name]]

    def sensors(self, pattern: str) -> Array:
        """Return the values of all sensors that a pattern selects, in the model's order, shape (n, values)."""
        key = f'pattern {pattern}'
        if key not in self._places:
            found = select(pattern, self.names('sensor'), 'sensor')
            self._places[key] = self._sensor_index(found)
        return self.sensordata[:, self._places[key]]

    def joints(self, pattern: str = '*') -> Joints:
        """Return the joints with one axis that a pattern selects: ``sim.joints('hip').position`` is (n, hips)."""
        if pattern not in self._joints:
            model = self.model
            names = [model.joint(i).name for i in range(model.njnt) if int(model.jnt_type[i]) in _SINGLE_AXIS]
            self._joints[pattern] = Joints(self.batch, select(pattern, names, 'joint'))
        return self._joints[pattern]

    def geoms(self, pattern: str) -> tuple[str, ...]:
        """Return the names of the colliding geoms that a pattern selects."""
        if pattern not in self._geoms:
            names, model = self.names('geom'), self.model
            solid = [name for name in names if model.geom(name).contype[0] or model.geom(name).conaffinity[0]]
            found = [pattern] if pattern in names else select(pattern, solid, 'geom that collides')
            self._geoms[pattern] = tuple(found)
        return self._geoms[pattern]

    def geom_positions(self, pattern: str) -> Array:
        """Return the positions, in the world, of the geoms that a pattern selects, shape (n, geoms, 3) [m]."""
        key = f'positions {pattern}'
        if key not in self._places:
            self._places[key] = index([self.model.geom(name).id for name in self.geoms(pattern)])
        found: Array = bound(self.batch, 'geom_xpos')[:, self._places[key]]
        return found

    def geom_velocities(self, pattern: str) -> Array:
        """Return the velocities of the geoms, in the world, from sensors that a term added, (n, geoms, 3) [m/s]."""
        return self._values('velocity', pattern).reshape(self.n, -1, 3)

    def contacts(self, pattern: str) -> npt.NDArray[np.bool_]:
        """Return which of the geoms touch anything, from sensors that a term added, shape (n, geoms)."""
        return self._values('contact', pattern) > 0

    def command(self, name: str) -> Array:
        """
        Return the command that the policy read, shape (n, entries).

        Raises:
            TaskError: the task has no such command.
        """
        if name not in self.commands:
            raise TaskError(f"the task has no command '{name}'.{did_you_mean(name, self.commands)}")
        return self.commands[name]

    @property
    def base(self) -> Base:
        """The motion of the floating base in its own frame."""
        found: Base = self.once('base', _base)
        return found

    @cached_property
    def free_joint(self) -> View:
        """
        The free joint of the base.

        Raises:
            TaskError: the model has none.
        """
        free = [i for i in range(self.model.njnt) if int(self.model.jnt_type[i]) == int(mujoco.mjtJoint.mjJNT_FREE)]
        if not free:
            raise TaskError('the model has no free joint, so it has no floating base; use joints, sites or sensors.')
        name = self.model.joint(free[0]).name
        return View(self.batch.joint(name or free[0]), self._template.joint(free[0]))

    @cached_property
    def base_body(self) -> View:
        """The body of the floating base."""
        body = int(self.model.joint(self.free_joint.id).bodyid[0])
        return View(self.batch.body(body), self._template.body(body))

    def position(self, name: str) -> Array:
        """Return the position of a body or site in the world, shape (n, 3) [m]; a body takes precedence."""
        return self.pose(name)[0]

    def pose(self, name: str) -> tuple[Array, Array]:
        """Return position [m] and axes (columns) of a body or site in the world, (n, 3) and (n, 3, 3)."""
        if name not in self._poses:
            sites = self.names('site')
            view = self.site(name) if name in sites and name not in self.names('body') else self.body(name)
            self._poses[name] = view.xpos, view.xmat.reshape(self.n, 3, 3)
        return self._poses[name]

    def weaken(self, ids: Ids, drawn: Array, neutral: Any) -> Array:
        """Return drawn values, (ids, ...), scaled by the strength: ``neutral`` at strength 0, unchanged at 1."""
        strength = self.strength[ids].reshape(-1, *(1,) * (drawn.ndim - 1))
        weaker: Array = strength * drawn + (1 - strength) * neutral
        return weaker

    def once(self, key: str, compute: 'Callable[[Sim], Any]') -> Any:
        """Return the result of ``compute``, which is called at most once in each step."""
        if key not in self._once:
            self._once[key] = compute(self)
        return self._once[key]

    def remember(self, key: str, *shape: int) -> Array:
        """
        Return an array of shape (n, ...) that keeps its values from step to step and is zero in a new episode.

        Args:
            key: its name, without a slash, because a slash separates names in saved states.
            *shape: shape for one simulation.
        """
        key = key.replace('/', '|')
        if key not in self.memory:
            self.memory[key] = np.zeros((self.n, *shape))
        return self.memory[key]

    def after_physics(self, key: str, update: 'Callable[[Sim], None]') -> None:
        """Register a function to call after the physics of each step, before any term; only once for each ``key``."""
        self._updates.setdefault(key, update)

    def before_physics(self, key: str, update: 'Callable[[Sim], None]') -> None:
        """Register a function to call before the physics of each step; only once for each ``key``."""
        self._earlier.setdefault(key, update)

    def advance(self, nstep: int) -> None:
        """Simulate a period of nstep physics steps."""
        self.begin_period()
        self.simulate(nstep)
        self.end_period()

    def begin_period(self) -> None:
        """Call the functions that terms registered to run before the physics of a period."""
        for update in self._earlier.values():
            update(self)

    def simulate(self, nstep: int) -> None:
        """Simulate nstep physics steps, a whole period or a part of it."""
        self.batch.step(nstep=nstep, stage=int(mujoco.mjtStage.mjSTAGE_VEL))
        self.forget()

    def end_period(self) -> None:
        """Count the period, and call the functions that terms registered to run after its physics."""
        self.steps += 1
        self.forget()
        for update in self._updates.values():
            update(self)

    def forget(self) -> None:
        """Drop the results of :meth:`once`; call this when the state has changed."""
        self._once.clear()

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind: joint, body, geom, site, sensor, actuator."""
        count = {'joint': self.model.njnt, 'actuator': self.model.nu}.get(kind)
        count = getattr(self.model, f'n{kind}') if count is None else count
        return [getattr(self.model, kind)(i).name for i in range(count)]

    def _view(self, kind: str, name: str) -> View:
        found = self._views.get((kind, name))
        if found is None:
            if name not in (names := self.names(kind)):
                raise unknown(name, names, kind)
            found = View(getattr(self.batch, kind)(name), getattr(self._template, kind)(name))
            self._views[kind, name] = found
        return found

    def _values(self, quantity: str, pattern: str) -> Array:
        key = f'{quantity} {pattern}'
        if key not in self._places:
            self._places[key] = self._sensor_index([f'{quantity}:{geom}' for geom in self.geoms(pattern)])
        return self.sensordata[:, self._places[key]]

    def _sensor_index(self, names: list[str]) -> Any:
        adr, dim = self.model.sensor_adr, self.model.sensor_dim
        ids = [self._view('sensor', name).id for name in names]
        return index([adr[i] + k for i in ids for k in range(dim[i])])


def _base(sim: Sim) -> Base:
    pose, motion = sim.free_joint.qpos, sim.free_joint.qvel
    axes = matrices(pose[:, 3:7])
    return Base(to_frame(axes, motion[:, :3]), motion[:, 3:6], gravity(axes))
