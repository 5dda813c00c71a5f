"""Checks of a new task: start pose, time step, shapes and names. Each term is evaluated once."""

from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from velora_ros.errors import TaskError
from velora_ros.spec import PolicySpec
from velora_ros.tasks.episodes import Episodes
from velora_ros.tasks.random_numbers import key_of
from velora_ros.tasks.task_to_contract import robot_contract

DEEPEST = 0.01
"""How far two geoms may penetrate each other in the start pose [m]."""
_TRIED_S, _HALVINGS, _TRIALS = 0.5, 5, 2
_ROOM = 1e-6


def check(task: Any) -> PolicySpec:
    """
    Check a task and return the specification of its policies.

    Raises:
        TaskError: something is wrong; the message says what, and how to correct it.
    """
    built = task.built
    _check_start(built.model, built.start_qpos, built.key)
    episodes = Episodes(task, built, _TRIALS, threads=1)
    episodes.begin(episodes.sim.everyone, key_of(0, episodes.sim.everyone))
    episodes.observe(episodes.sim.everyone)
    _check_time_step(episodes)
    observed, driven = episodes.observer.signals, episodes.drive.signals
    names = [signal.name for signal in observed]
    for name in names:
        if names.count(name) > 1:
            raise TaskError(f"observe: two entries have the name '{name}'; rename one of them.")
    return PolicySpec(
        observation_names=tuple(names),
        observation_units=tuple(signal.unit for signal in observed),
        action_names=tuple(signal.name for signal in driven),
        action_units=tuple(signal.unit for signal in driven),
        action_scale=tuple(signal.scale for signal in driven),
        action_offset=tuple(signal.offset for signal in driven),
        action_low=(-1.0,) * len(driven),
        action_high=(1.0,) * len(driven),
        control_period=float(task.period),
        contract=robot_contract(task, episodes),
    )


def _check_start(model: Any, qpos: Any, key: int) -> None:
    """Check that the start pose is within the joints' limits and that no geoms penetrate each other."""
    for i in range(model.njnt):
        if int(model.jnt_type[i]) in (0, 1) or not model.jnt_limited[i]:  # free and ball joints
            continue
        value, (low, high) = qpos[model.jnt_qposadr[i]], model.jnt_range[i]
        if not low - _ROOM <= value <= high + _ROOM:
            raise TaskError(
                f"the start pose has the joint '{model.joint(i).name}' at {value:g}, outside its limits "
                f'[{low:g}, {high:g}]; correct start or the keyframe.'
            )
    data = mujoco.MjData(model)
    if key >= 0:
        mujoco.mj_resetDataKeyframe(model, data, key)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    for contact in data.contact[: data.ncon]:
        if contact.dist < -DEEPEST:
            first, second = (model.geom(int(geom)).name for geom in contact.geom)
            raise TaskError(
                f"in the start pose '{first}' penetrates '{second}' by {-1000 * contact.dist:.0f} mm; raise the robot "
                'or correct the pose.'
            )


def _check_time_step(episodes: Episodes) -> None:
    """Simulate random actions; if the simulation diverges, raise an error that suggests a smaller time step."""
    rng = np.random.default_rng(0)
    sim = episodes.sim
    shape = sim.action.shape
    for _ in range(max(2, round(_TRIED_S / sim.period))):
        outcome = episodes.step(rng.uniform(-1, 1, shape))
        if outcome.failures['unstable'].any():
            raise TaskError(_unstable(episodes))
    episodes.observe()


def _unstable(episodes: Episodes) -> str:
    model = episodes.built.model
    step = model.opt.timestep
    what = f'the simulation becomes unstable with a time step of {step:g} s'
    for halving in range(1, _HALVINGS + 1):
        if _is_stable(episodes, step / 2**halving):
            return f'{what}; use {step / 2**halving:g} s, which is stable, or reduce the stiffness or the damping.'
    return f'{what} and with {step / 2**_HALVINGS:g} s; reduce the stiffness or the damping, or correct the inertias.'


def _is_stable(episodes: Episodes, step: float) -> bool:
    """Return whether half a second from the start pose with random targets is simulated without divergence."""
    built, sim = episodes.built, episodes.sim
    model = sim.batch.get_model(0)
    model.opt.timestep = step
    batch = Batch(model, 1, 1, persistent=True)
    batch.bind('qpos')[:] = built.start_qpos
    rng = np.random.default_rng(0)
    nstep = max(1, round(sim.period / step))
    for _ in range(round(_TRIED_S / sim.period)):
        episodes.drive.apply(rng.uniform(-1, 1, sim.action.shape))
        batch.bind('ctrl')[:] = sim.ctrl[:1]
        batch.step(nstep=nstep)
        if batch.warning[:, :, 1].any():
            return False
    return True
