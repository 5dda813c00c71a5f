"""The interface that the controller needs from a policy."""

from typing import Protocol

from velora_ros.control.command_limits import Array
from velora_ros.spec import PolicySpec


class RecurrentPolicy(Protocol):
    """A policy with a hidden state; robots run a :class:`velora_ros.policy.Policy`."""

    @property
    def spec(self) -> PolicySpec:
        """The policy's specification."""

    @property
    def hidden(self) -> Array:
        """The hidden state, shape (hidden,)."""

    def reset(self) -> None:
        """Set the hidden state to zero; the next step counts as one control period."""

    def step(self, observation: Array, dt: float | None) -> Array:
        """
        Advance by ``dt`` [s] (None: one control period); return the action, shape (action,).

        Raises:
            ObservationError: the observation is not finite, or the hidden state would not be, or it cannot be used for
                another reason; the hidden state is not changed.
        """
