"""A ``LiquidDDPG`` with the methods of a stable-baselines3 model: ``learn``, ``predict``, ``save``."""

import os
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.policy.sb3 import SB3Policy, State
from velora_ros.training import TrainResult

if TYPE_CHECKING:
    from velora_ros.models.ddpg import LiquidDDPG

BATCH_SIZE = 128


class SB3Model:
    """
    What :meth:`LiquidDDPG.as_sb3` returns; the agent itself stays the ``agent``.

    Args:
        agent: predicts and learns.
        env: what :meth:`learn` trains in; None: it is given later, with :meth:`set_env`.
        options: of ``LiquidDDPG.train``, ``batch_size`` among them (128).
    """

    def __init__(self, agent: 'LiquidDDPG', env: 'gymnasium.Env[Any, Any] | None', options: dict[str, Any]) -> None:
        self.agent, self.env = agent, env
        self.result: TrainResult | None = None
        """What the last :meth:`learn` brought."""
        self._options = {'batch_size': BATCH_SIZE, 'progress': False, **options}
        self._policy: tuple[tuple[int, int], SB3Policy] | None = None

    def predict(
        self,
        observation: Any,
        state: State | None = None,
        episode_start: npt.ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[npt.NDArray[np.float32], State]:
        """
        Choose actions without noise; see :meth:`velora_ros.policy.sb3.SB3Policy.predict`.

        Raises:
            ObservationError: a shape is wrong, or a number is not finite.
        """
        learner = self.agent.agent
        now = id(learner), learner.updates
        if self._policy is None or self._policy[0] != now:
            self._policy = now, SB3Policy(learner.policy_file())
        return self._policy[1].predict(observation, state, episode_start, deterministic)

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
        Train for so many steps of the environment.

        Args:
            total_timesteps: steps of this call.
            callback: a :class:`velora_ros.training.Callback`, or a list of them; those of stable-baselines3 do not fit.
            log_interval: not used; ``window_size`` says how often a line is printed.
            tb_log_name: not used; ``run_dir`` says where the files for TensorBoard go.
            reset_num_timesteps: not used; each call counts from 0.
            progress_bar: show progress.
            **options: of ``LiquidDDPG.train``, over those of :meth:`LiquidDDPG.as_sb3`.

        Raises:
            VeloraError: as ``LiquidDDPG.train``; ConfigError without an environment.
        """
        if self.env is None:
            raise ConfigError('there is no environment to learn in; pass one: agent.as_sb3(env), or set_env(env).')
        callbacks = [] if callback is None else list(callback) if isinstance(callback, list | tuple) else [callback]
        given = {**self._options, 'progress': progress_bar or self._options['progress'], **options}
        self.result = self.agent.train(self.env, **given, total_steps=total_timesteps, callbacks=callbacks)
        self._policy = None
        return self

    def set_env(self, env: 'gymnasium.Env[Any, Any]') -> None:
        """Set what :meth:`learn` trains in."""
        self.env = env

    def get_env(self) -> 'gymnasium.Env[Any, Any] | None':
        """Return what :meth:`learn` trains in."""
        return self.env

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the agent, as ``LiquidDDPG.save`` does.

        Raises:
            StorageError: the file cannot be written.
        """
        self.agent.save(path)
