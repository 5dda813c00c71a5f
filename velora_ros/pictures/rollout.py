"""Run a policy in an environment and record observations, hidden states, actions and rewards."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rollout:
    """
    N steps of one policy, over one or more episodes.

    Args:
        spec: names, units and bounds of observations and actions.
        time: time of each observation [s], shape (N,); it continues from one episode to the next.
        observations: shape (N, S).
        hidden: the hidden state after each step, shape (N, H).
        actions: shape (N, A).
        rewards: rewards of each step, shape (N,).
        starts: index of the first step of each episode.
        returns: undiscounted return of each finished episode.
    """

    spec: PolicySpec
    time: Array
    observations: Array
    hidden: Array
    actions: Array
    rewards: Array
    starts: tuple[int, ...]
    returns: tuple[float, ...]


def roll_out(policy: Policy, env: 'gym.Env[Any, Any]', *, steps: int, seed: int = 0) -> Rollout:
    """
    Run a policy deterministically and record every step.

    Args:
        policy: chooses the actions; it gets the elapsed time ``info['dt']`` [s] if the environment reports one.
        env: has the policy's observations and actions; it is not closed.
        steps: number of steps; when an episode ends, the next one begins.
        seed: seed of the first reset; later resets are not seeded.
    """
    rows: list[tuple[Any, ...]] = []
    starts: list[int] = []
    returns: list[float] = []
    now, total, ended = 0.0, 0.0, True
    observation: Any = None
    dt: float | None = None
    while len(rows) < steps:
        if ended:
            policy.reset()
            observation, _ = env.reset(seed=None if starts else seed)
            starts.append(len(rows))
            total, dt = 0.0, None
        action = policy.step(observation, dt)
        seen, when = observation, now
        observation, reward, terminated, truncated, info = env.step(action.astype(env.action_space.dtype))
        rows.append((when, np.array(seen, np.float64), policy.hidden, action, float(reward)))
        dt = info.get('dt')
        now += policy.period if dt is None else float(dt)
        total += float(reward)
        ended = terminated or truncated
        if ended:
            returns.append(total)
    time, observations, hidden, actions, rewards = (np.array(column) for column in zip(*rows, strict=True))
    return Rollout(policy.spec, time, observations, hidden, actions, rewards, tuple(starts), tuple(returns))
