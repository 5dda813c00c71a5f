"""Run a policy in many simulations of a task for one episode each, and record what an evaluation needs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.tasks.vector_env import TaskVectorEnv

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Act = Callable[[npt.NDArray[np.float32]], Any]


class Recording(NamedTuple):
    """
    One episode in each of n simulations; steps after the end of an episode do not count.

    Arrays of ``metrics`` have the shape (steps, n) or (steps, n, k); only entries where ``alive`` count.
    """

    period: float
    """Time between two steps [s]."""
    alive: Mask
    """Whether the step belongs to the episode, the failing step included, shape (steps, n)."""
    failed: Mask
    """Whether each simulation failed, shape (n,)."""
    returns: Array
    """Return of each episode, shape (n,)."""
    metrics: dict[str, Array]
    """The task's metrics, by name."""
    failures: dict[str, Mask]
    """Whether each simulation failed, by the name of the failure term, each of shape (n,)."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Steps of each episode, shape (n,)."""
        found: npt.NDArray[np.int64] = self.alive.sum(axis=0)
        return found

    def mean(self, name: str, where: Mask | None = None) -> float:
        """Return the mean of a metric over all steps of the episodes, or over selected steps; NaN if there are none."""
        chosen = self.alive if where is None else self.alive & where
        return float(self.metrics[name][chosen].mean()) if chosen.any() else float('nan')


def record(env: TaskVectorEnv, act: Act, *, seed: int, seconds: float | None = None) -> Recording:
    """
    Run one episode in each simulation.

    Args:
        env: the simulations; they are reset.
        act: returns the actions, shape (n, action), for observations, shape (n, observation).
        seed: seed of the episodes.
        seconds: longest duration of an episode [s]; None: the task's own limit.
    """
    limit = env.task.built.steps if seconds is None else max(1, round(seconds / env.dt))
    observations, _ = env.reset(seed=seed)
    running = np.ones(env.num_envs, bool)
    returns = np.zeros(env.num_envs)
    rows: list[dict[str, Array]] = []
    alive: list[Mask] = []
    failures: dict[str, Mask] = {}
    for _ in range(limit):
        observations, rewards, terminated, truncated, infos = env.step(act(observations))
        alive.append(running.copy())
        rows.append({name: values.copy() for name, values in infos['metrics'].items()})
        returns += rewards * running
        for name, mask in infos['failed'].items():
            failures[name] = failures.get(name, np.zeros(env.num_envs, bool)) | (mask & running)
        running &= ~(terminated | truncated)
        if not running.any():
            break
    metrics = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    failed = np.logical_or.reduce(list(failures.values()))
    return Recording(env.dt, np.array(alive), failed, returns, metrics, failures)
