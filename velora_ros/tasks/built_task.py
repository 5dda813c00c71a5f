"""A task with its compiled model and its resolved terms, which all its environments share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError, did_you_mean
from velora_ros.tasks.name_patterns import fits
from velora_ros.tasks.robot_model import RobotModel
from velora_ros.tasks.terms import metrics as metrics_of
from velora_ros.tasks.terms.command import Command
from velora_ros.tasks.terms.term import Observation, Term, named, observed
from velora_ros.tasks.terms.vary import Delay, DroppedFrames, Period, Variation

Array = npt.NDArray[np.float64]

START_KEYS = ('home', 'stand')
BASE = 'base'
TWIST = ('linear.x', 'linear.y', 'angular.z')


class BuiltTask(NamedTuple):
    """The parts of a task, ready to be bound to simulations; ``steps`` is the length of an episode in periods."""

    model: mujoco.MjModel
    substeps: int
    steps: int
    key: int
    start_qpos: Array
    observe: tuple[Observation, ...]
    critic: tuple[Observation, ...]
    reward: tuple[tuple[Term, float], ...]
    fail: tuple[Term, ...]
    vary: tuple[Variation, ...]
    metrics: tuple[Term, ...]


def build(task: Any) -> BuiltTask:
    """
    Compile the model of a task and resolve its terms.

    Raises:
        TaskError: a part of the task is not valid.
    """
    observe, critic = [observed(one) for one in task.observe], [observed(one) for one in task.critic]
    reward = [(named(one, 'reward'), _weight(one, weight)) for one, weight in task.reward.items()]
    fail, vary = [named(one, 'fail') for one in task.fail], _variations(task.vary)
    metrics = [named(one, 'metrics') for one in task.metrics] or _tracking(task.commands)
    for kind, terms in (('observe', observe), ('reward', [one for one, _ in reward]), ('fail', fail)):
        _distinct(kind, [term.name for term in terms])
    if task.curriculum is not None:
        task.curriculum.check([term.name for term in metrics])
    if not observe:
        raise TaskError('observe is empty; a policy must read something, such as observe.joint_positions().')
    model = RobotModel(task.model)
    if not hasattr(task.act, 'prepare'):
        raise TaskError(f'act is {task.act!r}; give an action, such as act.joint_targets(scale=0.5).')
    task.act.prepare(model)
    parts: list[Term | Variation] = [*observe, *critic, *(one for one, _ in reward), *fail, *vary, *metrics]
    for term in parts:
        term.prepare(model)
    compiled = model.compiled()
    substeps, steps = _timing(task, compiled)
    key, start = _start(task.start, compiled)
    return BuiltTask(
        compiled, substeps, steps, key, start, tuple(observe), tuple(critic), tuple(reward), tuple(fail), tuple(vary),
        tuple(metrics),
    )  # fmt: skip


def _timing(task: Any, model: mujoco.MjModel) -> tuple[int, int]:
    """Return the number of physics steps in a period and the number of periods in an episode."""
    for name in ('period', 'episode'):
        value = getattr(task, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not (np.isfinite(value) and value > 0):
            raise TaskError(f'{name} is {value!r}; it must be a positive number of seconds.')
    step = model.opt.timestep
    substeps = round(task.period / step)
    if substeps < 1 or abs(substeps * step - task.period) > 1e-9 + 1e-6 * task.period:
        raise TaskError(
            f"period is {task.period:g} s and the model's timestep {step:g} s; the period must be a whole number of "
            f'timesteps, for example timestep="{task.period / max(substeps, 1):g}" in the model.'
        )
    if task.episode < task.period:
        raise TaskError(f'episode is {task.episode:g} s; it must not be shorter than the period, {task.period:g} s.')
    return substeps, round(task.episode / task.period)


def _start(start: Any, model: mujoco.MjModel) -> tuple[int, Array]:
    """Return the index of the start pose's keyframe (-1 for none) and its positions, shape (nq,)."""
    names = [model.key(i).name for i in range(model.nkey)]
    if isinstance(start, Mapping):
        return -1, _pose_of(start, model)
    if start:
        if start not in names:
            raise TaskError(f"start: the model has no keyframe '{start}'.{did_you_mean(start, names)}")
        return names.index(start), model.key_qpos[names.index(start)].copy()
    found = next((names.index(name) for name in START_KEYS if name in names), -1)
    return found, (model.key_qpos[found] if found >= 0 else model.qpos0).copy()


def _pose_of(start: Mapping[str, Any], model: mujoco.MjModel) -> Array:
    """Return the positions, (nq,), of a start pose given by patterns of joints and ``base``, a height or (x, y, z)."""
    qpos: Array = model.qpos0.copy()
    free = int(mujoco.mjtJoint.mjJNT_FREE)
    names = {model.joint(i).name: i for i in range(model.njnt) if int(model.jnt_type[i]) != free}
    for pattern, value in start.items():
        if pattern == BASE:
            base = [i for i in range(model.njnt) if int(model.jnt_type[i]) == free]
            if not base:
                raise TaskError(f"start: '{BASE}' is given, but the model has no free joint; omit '{BASE}'.")
            place = int(model.jnt_qposadr[base[0]])
            qpos[place + (2 if np.ndim(value) == 0 else 0) : place + 3] = value
            continue
        chosen = [i for name, i in names.items() if fits(pattern, name)]
        if not chosen:
            raise TaskError(f"start: '{pattern}' matches no joint.{did_you_mean(pattern, names)}")
        qpos[model.jnt_qposadr[chosen]] = value
    return qpos


def _tracking(commands: Mapping[str, Command]) -> list[Term]:
    """Return metrics of how well the first twist command is followed; none if there is no twist command."""
    for name, one in commands.items():
        if tuple(one.entries) == TWIST:
            return metrics_of.tracking(name)
    return []


def _weight(term: Any, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not np.isfinite(weight):
        raise TaskError(
            f'reward: the weight of {named(term, "reward").name} is {weight!r}; it must be a finite number.'
        )
    return float(weight)


def _variations(given: Sequence[Any]) -> list[Variation]:
    """Return the variations; further ones of a name, such as the masses of other bodies, get a number."""
    found, variations = [], [_variation(one) for one in given]
    for place, one in enumerate(variations):
        alike = sum(other.name == one.name for other in variations[:place])
        if alike and isinstance(one, Delay | Period | DroppedFrames):
            raise TaskError(f'vary has vary.{one.name} twice, but only one can apply; give one that has all values.')
        found.append(replace(one, name=f'{one.name} {alike + 1}') if alike else one)
    return found


def _variation(one: Any) -> Variation:
    if not isinstance(one, Variation):
        raise TaskError(
            f'vary has {one!r}; it must be a variation such as vary.mass(...), or a function with @vary.term().'
        )
    return one


def _distinct(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise TaskError(f"{kind} has two terms with the name '{name}'; rename one of them.")
