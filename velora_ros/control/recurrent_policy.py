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
        Step with an observation, shape (observation,), and return the action, shape (action,).

        Args:
            observation: the observation.
            dt: the time since the previous step [s]; None for one control period.

        Raises:
            ObservationError: the observation cannot be used, for example because it is not finite, or the hidden state
                would not be finite; the hidden state is not changed.
        """
