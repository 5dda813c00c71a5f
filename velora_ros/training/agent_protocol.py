"""What the training loop asks of an agent."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.policy import PolicyFile
from velora_ros.replay import Transition

Array = npt.NDArray[np.float32]


class Agent(Protocol):
    """
    An off-policy agent with a recurrent actor.

    Actions are normalised to [-1, 1] here; the loop scales them to the environment. Time is dt/T, the elapsed time over
    the nominal period.
    """

    def initial_hidden(self) -> Array:
        """Return the hidden state at the start of an episode, shape (hidden,)."""
        ...

    def act(self, observation: Array, hidden: Array, dt: float, noise_scale: float) -> tuple[Array, Array]:
        """
        Choose an action.

        Args:
            observation: in the environment's units, shape (observation,).
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

    def end_episode(self, length: int, *, full: bool) -> None:
        """Note that an episode of so many steps is over; ``full``: a time limit ended it, not a failure."""
        ...

    def end_warm_up(self) -> None:
        """Note that the random start-up steps are over; an observation normaliser is frozen here."""
        ...

    def change(self, values: Mapping[str, float]) -> None:
        """Note that hyperparameters change; ``actor_lr`` and ``critic_lr`` hold from the next update on."""
        ...

    def learn(self) -> dict[str, float] | None:
        """Run one update and return its metrics as plain floats; None while too little is remembered."""
        ...

    def diagnostics(self) -> dict[str, float]:
        """Return how learning went since the last call, by the names of ``velora_ros.training.diagnostics``."""
        ...

    def policy_file(self) -> PolicyFile:
        """Return the current actor as a deployable policy."""
        ...
