"""Observation, reward and termination of a control period whose physics was simulated elsewhere."""

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from velora_ros.errors import UnsupportedEnvironmentError


def step_without_physics(
    env: 'gym.Env[Any, Any]', action: Any, after: mujoco.MjData, length: float
) -> tuple[Any, Any, bool, bool]:
    """
    Call ``env.step`` so that it uses a given state instead of simulating.

    Args:
        env: a MuJoCo environment of gymnasium in the state at the beginning of the period, wrapped or not.
        action: action of the period, in the type of the action space.
        after: the state at the end of the period.
        length: duration of the period, in nominal periods.

    Returns:
        Observation, reward, terminated and truncated.

    Raises:
        UnsupportedEnvironmentError: ``step`` does not simulate by one call of ``do_simulation`` with the action.
    """
    base: Any = env.unwrapped
    model, frames, time_step = base.model, base.frame_skip, base.model.opt.timestep
    applied: list[Any] = []

    def take_result(ctrl: Any, n_frames: int) -> None:
        mujoco.mj_copyData(base.data, model, after)
        applied.append(np.asarray(ctrl))

    vars(base)['do_simulation'] = take_result
    # Some environments divide by the duration of the period, frame_skip times the time step. frame_skip must be a
    # whole number, because they loop over it; the time step is adjusted for the rest.
    if length != 1:
        base.frame_skip = max(1, round(frames * length))
        model.opt.timestep = time_step * (frames * length / base.frame_skip)
    try:
        observation, reward, terminated, truncated, _ = env.step(action)
    finally:
        del vars(base)['do_simulation']
        base.frame_skip, model.opt.timestep = frames, time_step
    if len(applied) != 1 or not np.array_equal(applied[0], action):
        raise UnsupportedEnvironmentError(
            f'{type(base).__name__}.step does not pass the action to do_simulation once and unchanged, as '
            "gymnasium's own MuJoCo environments do; so it cannot be driven as a robot. Correct its step, or use "
            'another environment.'
        )
    return observation, reward, terminated, truncated
