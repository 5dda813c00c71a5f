"""A term: a function of many simulations with a name, a unit, its entries and its source on the robot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError
from velora_ros.tasks.mujoco_simulations import Sim
from velora_ros.tasks.observation_sources import Find, nowhere
from velora_ros.tasks.robot_model import RobotModel

Array = npt.NDArray[np.float64]
Compute = Callable[[Sim], Any]
Names = Sequence[str] | Callable[[Sim], Sequence[str]]
Prepare = Callable[[RobotModel], Any]


def nothing(model: RobotModel) -> None:
    """Add nothing to the model."""


@dataclass(frozen=True, eq=False)
class Term:
    """
    A function of all simulations: a part of the reward, a failure or a metric.

    Args:
        name: name of the term in tables and logs.
        compute: function of a :class:`velora_ros.tasks.mujoco_simulations.Sim` that returns an array of shape (n,).
        unit: unit of its values.
        prepare: adds to the model what the term needs, for example sensors.
    """

    name: str
    compute: Compute
    unit: str = ''
    prepare: Prepare = nothing

    def __call__(self, sim: Sim) -> Any:
        """Return the values of the term, shape (n,)."""
        return self.compute(sim)


@dataclass(frozen=True, eq=False)
class Observation(Term):
    """
    A term that a policy reads: scale * (value + noise + bias), shape (n,) or (n, k).

    Args:
        entries: name of each entry; empty: ``<name>`` or ``<name>.<number>``.
        units: unit of each entry, if they differ.
        source: message type and field on the robot, for example ``Imu angular_velocity``, for display.
        noise: standard deviation of the noise in each step, one for all entries or one for each [unit of the value].
        bias: standard deviation of an error that is constant during an episode, in the same form [unit of the value].
        scale: fixed factor, one for all entries or one for each.
        sensed: whether the observation comes from a sensor, so that delays and lost frames affect it.
        find: returns where a robot provides the observation, for the policy file.
    """

    entries: Names = ()
    units: Names = ()
    source: str = ''
    noise: float | Sequence[float] = 0.0
    bias: float | Sequence[float] = 0.0
    scale: float | Sequence[float] = 1.0
    sensed: bool = True
    find: Find = nowhere


def named(term: Any, kind: str) -> Term:
    """
    Return a term; a plain function gets its own name.

    Raises:
        TaskError: ``term`` is neither a term nor a function.
    """
    if isinstance(term, Term):
        return term
    if not callable(term):
        raise TaskError(f'{kind} has {term!r}; it must be a term or a function of the simulation.')
    return Term(getattr(term, '__name__', type(term).__name__), term)


def observed(term: Any) -> Observation:
    """
    Return a term as an observation.

    Raises:
        TaskError: ``term`` is a term of another kind, or not a function.
    """
    if isinstance(term, Observation):
        return term
    if isinstance(term, Term) or not callable(term):
        raise TaskError(f'observe has {term!r}; it must be an observation or a function of the simulation.')
    return Observation(getattr(term, '__name__', type(term).__name__), term)


def listed(names: Names, sim: Sim) -> list[str]:
    """Return the names as a list; if they depend on the model, ``names`` is a function of the simulations."""
    return list(names(sim) if callable(names) else names)
