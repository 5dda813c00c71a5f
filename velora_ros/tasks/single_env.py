"""A task as a ``gymnasium.Env``: the vector environment with one simulation."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec

from velora_ros.contract.joint_signals import Signal
from velora_ros.gym.make_env import MADE_AS
from velora_ros.spec import PolicySpec, RobotContract
from velora_ros.tasks.vector_env import TaskVectorEnv

Floats = npt.NDArray[np.float32]

ENV_ID = 'velora_ros.tasks:Task-v0'
"""The environment of every task; the keyword ``task`` selects the task."""


class TaskEnv(gym.Env[Floats, Floats]):
    """
    One simulation of a task, bit for bit the same as in a vector environment.

    Args:
        task: the task.
        seed: seed of the first reset, if none is given there.
        undisturbed: whether variation, noise and bias are off.
        render_mode: ``rgb_array``, ``human`` or None.
    """

    metadata = {'render_modes': ['rgb_array', 'human']}  # noqa: RUF012 - gymnasium's way

    def __init__(
        self, task: Any, *, seed: int | None = None, undisturbed: bool = False, render_mode: str | None = None
    ) -> None:
        self._vector = TaskVectorEnv(task, 1, seed=seed, threads=1, undisturbed=undisturbed, render_mode=render_mode)
        self.task, self.render_mode = task, render_mode
        self.metadata = {**self.metadata, 'render_fps': self._vector.metadata['render_fps']}
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self.dt: float = task.period
        kwargs = {'task': task.name or task} | ({'undisturbed': True} if undisturbed else {})
        self.spec = EnvSpec('Task-v0', entry_point='velora_ros.tasks.find_task:make_env', kwargs=kwargs)
        setattr(self, MADE_AS, ENV_ID)

    @property
    def vector(self) -> TaskVectorEnv:
        """The vector environment behind this one; it has a single simulation."""
        return self._vector

    def make_vec(self, n: int, **options: Any) -> TaskVectorEnv:
        """Return n simulations of the same task; the options are the keyword arguments of ``Task.make_vec``."""
        return TaskVectorEnv(self.task, n, **{'undisturbed': self._vector.episodes.undisturbed, **options})

    @property
    def model(self) -> Any:
        """The compiled MuJoCo model."""
        return self._vector.sim.model

    @property
    def policy_spec(self) -> PolicySpec:
        """Names, units and bounds of what a policy reads and commands, and the period."""
        return self._vector.policy_spec

    @property
    def robot_contract(self) -> RobotContract | None:
        """How observations and actions reach a robot."""
        return self.policy_spec.contract

    def observation_signals(self) -> list[Signal]:
        """Return name and unit of each observation."""
        return list(self._vector.episodes.observer.signals)

    def action_signals(self) -> list[Signal]:
        """Return name, unit, scale and offset of each action."""
        return list(self._vector.episodes.drive.signals)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        observations, infos = self._vector.reset(seed=None if seed is None else [seed])
        return observations[0].copy(), _first(infos)

    def step(self, action: Any) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Simulate a period under an action in [-1, 1], shape (action,)."""
        observations, rewards, terminations, truncations, infos = self._vector.step(np.asarray(action)[None])
        return (
            observations[0].copy(), float(rewards[0]), bool(terminations[0]), bool(truncations[0]), _first(infos)
        )  # fmt: skip

    def render(self) -> Any:
        """Return a picture, shape (height, width, 3); None if a window shows it."""
        pictures = self._vector.render()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Close the window."""
        self._vector.close()


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    """Return the infos of the first simulation."""
    return {key: _first(value) if isinstance(value, dict) else np.array(value[0])[()] for key, value in infos.items()}
