"""
A policy with the method ``predict`` of stable-baselines3, so that programs written for its models run unchanged.

This module does not need stable-baselines3. An :class:`SB3Policy` can be the model in stable-baselines3's
``evaluate_policy(model, env)``.
"""

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ObservationError
from velora_ros.policy.policy import Policy
from velora_ros.policy.policy_file import PolicyFile

State = tuple[npt.NDArray[np.float64], ...]


class SB3Policy:
    """
    Predicts like a recurrent model of stable-baselines3 (``RecurrentPPO``), with one row for each environment.

    The elapsed time is always the nominal period, because ``predict`` has no argument for it.

    Args:
        policy: a policy, the content of a policy file, or the path of a policy file.

    Raises:
        PolicyFileError: the file is missing, damaged or not a policy file.
    """

    def __init__(self, policy: Policy | PolicyFile | str | os.PathLike[str]) -> None:
        if isinstance(policy, Policy):
            policy = policy.file
        file = policy if isinstance(policy, PolicyFile) else PolicyFile.load(policy)
        self._policy = Policy(file)  # a separate policy, because its hidden state is set for each row

    def predict(
        self,
        observation: Any,
        state: State | None = None,
        episode_start: npt.ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[npt.NDArray[np.float32], State]:
        """
        Return the actions for observations, and the next state.

        Args:
            observation: one observation, shape (S,), or one for each of B environments, shape (B, S).
            state: the state that the previous call returned; None if all episodes begin.
            episode_start: whether an episode begins in each row, shape (B,); if None, only if ``state`` is None.
            deterministic: has no effect, because the policy is deterministic.

        Returns:
            The actions, in the environment's units and within its bounds, shape (A,) or (B, A), and the next state.

        Raises:
            ObservationError: a shape is wrong, or a number is not finite.
        """
        try:
            rows = np.asarray(observation, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ObservationError(
                f'the observation is a {type(observation).__name__}; it must be an array of shape '
                f'({self._policy.spec.observation_dim},) or (B, {self._policy.spec.observation_dim}).'
            ) from error
        single = rows.ndim == 1
        rows = rows.reshape(1, -1) if single else rows
        hidden, fresh = self._states(len(rows), state, episode_start)
        actions, after = [], []
        for row, before, begins in zip(rows, hidden, fresh, strict=True):
            self._policy.reset()
            if not begins:
                self._policy.hidden = before
            actions.append(self._policy.step(row))
            after.append(self._policy.hidden)
        action = np.array(actions, dtype=np.float32)
        return (action[0] if single else action), (np.array(after),)

    def _states(
        self, count: int, state: State | None, episode_start: npt.ArrayLike | None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        size = self._policy.file.hidden_size
        hidden = np.zeros((count, size)) if state is None else np.asarray(state[0], dtype=np.float64).reshape(-1, size)
        start = np.zeros(count, bool) if episode_start is None else np.asarray(episode_start, bool).reshape(-1)
        if len(hidden) != count or len(start) != count:
            raise ObservationError(
                f'there are {count} observations, {len(hidden)} states and {len(start)} episode starts; give '
                'one state and one episode start for each observation.'
            )
        return hidden, np.ones(count, bool) if state is None else start
