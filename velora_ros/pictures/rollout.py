"""A policy at work, step by step: what it saw, kept in mind, did and got."""

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
    N steps of one policy, over as many episodes as it takes.

    Args:
        spec: names, units and bounds of what follows.
        time: when each observation was made [s], shape (N,); it runs on over the ends of episodes.
        observations: shape (N, S).
        hidden: the hidden state after each step, shape (N, H).
        actions: shape (N, A).
        rewards: what the action brought, shape (N,).
        starts: index of each episode's first step.
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
    Run a policy deterministically and write everything down.

    Args:
        policy: acts; an elapsed time in ``info['dt']`` [s] reaches it.
        env: gives what the policy reads; left open.
        steps: how many; an episode that ends before is followed by another.
        seed: of the first reset; each further episode goes on with the environment's own stream.
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
