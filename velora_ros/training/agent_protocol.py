"""The interface of an agent for the training loop and the checkpoints of a run."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.policy import PolicyFile
from velora_ros.replay_buffers import Transition, Transitions

Array = npt.NDArray[np.float32]


class Agent(Protocol):
    """
    An off-policy agent with a recurrent actor.

    Actions are normalised to [-1, 1]; ``CheckedEnv.step`` scales them to the environment. Times are dt/T: elapsed time
    over nominal period.
    """

    def initial_hidden(self) -> Array:
        """Return the hidden state at the start of an episode, shape (hidden,)."""
        ...

    def act(self, observation: Array, hidden: Array, dt: float, noise_scale: float) -> tuple[Array, Array]:
        """
        Choose an action.

        Args:
            observation: the observation in the environment's units, shape (observation,).
            hidden: shape (hidden,).
            dt: dt/T.
            noise_scale: standard deviation of the exploration noise, in normalised actions; 0: none.

        Returns:
            action in [-1, 1], shape (action,), and the next hidden state, shape (hidden,).
        """
        ...

    def random_action(self) -> Array:
        """Draw an action uniformly from [-1, 1], shape (action,)."""
        ...

    def remember(self, transition: Transition) -> None:
        """Store one transition."""
        ...

    def end_episode(self, length: int, *, full: bool, stream: int = 0) -> None:
        """Handle the end of an episode of ``length`` steps; ``full``: a time limit ended it, not a failure."""
        ...

    def initial_hidden_batch(self, n_streams: int) -> Array:
        """Return the hidden states of n streams at the start of an episode, shape (n, hidden)."""
        ...

    def act_batch(self, observation: Array, hidden: Array, dt: Array, noise_scale: Array) -> tuple[Array, Array]:
        """
        Choose an action for each of n streams.

        Args:
            observation: the observation in the environment's units, shape (n, observation).
            hidden: shape (n, hidden).
            dt: dt/T, shape (n,).
            noise_scale: standard deviation of each stream's exploration noise, shape (n,).

        Returns:
            actions in [-1, 1], shape (n, action), and the next hidden states, shape (n, hidden).
        """
        ...

    def random_actions(self) -> Array:
        """Draw an action for each stream uniformly from [-1, 1], shape (n, action)."""
        ...

    def remember_batch(self, transitions: Transitions, taken: npt.NDArray[np.bool_]) -> None:
        """Store one transition of each stream; ``taken``, shape (n,), is False for streams that took no step."""
        ...

    def end_warm_up(self) -> None:
        """Handle the end of the start-up steps; an observation normaliser is frozen here."""
        ...

    def change(self, values: Mapping[str, float]) -> None:
        """Apply changed hyperparameters; ``actor_lr`` and ``critic_lr`` take effect at the next update."""
        ...

    def learn(self) -> dict[str, float] | None:
        """Run one update and return its metrics; None while the replay holds too few transitions."""
        ...

    def diagnostics(self) -> dict[str, float]:
        """Return the diagnostics since the last call, by the names in ``velora_ros.training.diagnostics``."""
        ...

    def policy_file(self) -> PolicyFile:
        """Return the current actor as a deployable policy."""
        ...


class SavedAgent(Protocol):
    """An agent that can be saved and restored, bit for bit."""

    def state(self, *, buffer: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """
        Return everything that changes in training, as torch tensors by name and as JSON-ready values.

        Args:
            buffer: whether to include the replay.
        """
        ...

    def restore(self, tensors: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """
        Restore the output of :meth:`state` in an agent with the same constructor arguments.

        Raises:
            KeyError, RuntimeError, ValueError, TypeError: something is missing, or of the wrong shape.
        """
        ...

    def check_weights(self) -> None:
        """
        Check that every weight is finite, before a file with finite weights is replaced.

        Raises:
            DivergenceError: a weight is not finite.
        """
        ...
