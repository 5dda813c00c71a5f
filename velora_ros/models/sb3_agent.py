"""A ``LiquidDDPG`` with the methods of a stable-baselines3 model: ``learn``, ``predict``, ``save``."""

import functools
import os
from typing import Any, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.models.agent import DDPGAgent
from velora_ros.policy.sb3_policy import SB3Policy, State
from velora_ros.training import TrainResult

BATCH_SIZE = 128


class Model(Protocol):
    """The interface of the wrapped ``LiquidDDPG``."""

    agent: DDPGAgent

    def train(self, env: 'gymnasium.Env[Any, Any]', batch_size: int, **options: Any) -> TrainResult:
        """Train in an environment."""
        ...

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole agent."""
        ...


class SB3Model:
    """
    The result of :meth:`LiquidDDPG.as_sb3`.

    Args:
        agent: the ``LiquidDDPG`` that predicts and learns.
        env: the environment that :meth:`learn` trains in; None: :meth:`set_env` gives it later.
        options: arguments of ``LiquidDDPG.train``; ``batch_size`` is 128 by default.
    """

    def __init__(self, agent: Model, env: 'gymnasium.Env[Any, Any] | None', options: dict[str, Any]) -> None:
        self.agent, self.env = agent, env
        self.result: TrainResult | None = None
        """The result of the last :meth:`learn`."""
        self._options = {'batch_size': BATCH_SIZE, 'progress': False, **options}
        self._policy: tuple[tuple[int, int], SB3Policy] | None = None

    @functools.wraps(SB3Policy.predict)
    def predict(self, *arguments: Any, **options: Any) -> tuple[npt.NDArray[np.float32], State]:
        """Choose actions with the current policy; see :meth:`velora_ros.policy.sb3_policy.SB3Policy.predict`."""
        agent = self.agent.agent
        now = id(agent), agent.updates
        if self._policy is None or self._policy[0] != now:
            self._policy = now, SB3Policy(agent.policy_file())
        return self._policy[1].predict(*arguments, **options)

    def learn(  # noqa: PLR0917 - the order of stable-baselines3
        self,
        total_timesteps: int,
        callback: Any = None,
        log_interval: int = 4,
        tb_log_name: str = 'run',
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
        **options: Any,
    ) -> 'SB3Model':
        """
        Train for a number of environment steps.

        Args:
            total_timesteps: number of steps.
            callback: a :class:`velora_ros.training.Callback`, or a list of them; callbacks of stable-baselines3 cannot
                be used.
            log_interval: has no effect; ``window_size`` sets how often a line is printed.
            tb_log_name: has no effect; ``run_dir`` is the folder of the files for TensorBoard.
            reset_num_timesteps: has no effect; each call counts from 0.
            progress_bar: whether to show progress.
            **options: arguments of ``LiquidDDPG.train``; they override the options of :meth:`LiquidDDPG.as_sb3`.

        Raises:
            VeloraError: see ``LiquidDDPG.train``; ConfigError without an environment.
        """
        if self.env is None:
            raise ConfigError('there is no environment to learn in; pass one: agent.as_sb3(env), or set_env(env).')
        callbacks = [] if callback is None else list(callback) if isinstance(callback, list | tuple) else [callback]
        given = {**self._options, 'progress': progress_bar or self._options['progress'], **options}
        self.result = self.agent.train(self.env, **given, total_steps=total_timesteps, callbacks=callbacks)
        self._policy = None
        return self

    def set_env(self, env: 'gymnasium.Env[Any, Any]') -> None:
        """Set the environment that :meth:`learn` trains in."""
        self.env = env

    def get_env(self) -> 'gymnasium.Env[Any, Any] | None':
        """Return the environment that :meth:`learn` trains in."""
        return self.env

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the agent, as ``LiquidDDPG.save`` does.

        Raises:
            StorageError: the file cannot be written.
        """
        self.agent.save(path)
