"""Runs a policy that will take over silently beside the current one, until its hidden state fits."""

import math

from velora_ros.control.command_limits import Array
from velora_ros.control.recurrent_policy import RecurrentPolicy
from velora_ros.control.tilt_and_speed_latches import Normalisation
from velora_ros.errors import ObservationError

SILENT_S = 1.0
"""Time for which a policy runs silently before it takes over [s]."""


class SilentPolicy:
    """
    Steps on the same observations as the current policy, so that its hidden state fits the robot's motion.

    Args:
        policy: the policy, warmed up; it starts from a fresh hidden state.
        normalisation: mean and inverse deviation of each observation in its training; None if not known.
    """

    def __init__(self, policy: RecurrentPolicy, normalisation: Normalisation | None) -> None:
        self.policy, self.normalisation = policy, normalisation
        self._needed = math.ceil(SILENT_S / policy.spec.control_period)
        self.reset()

    def reset(self) -> None:
        """Begin again with a fresh hidden state."""
        self.policy.reset()
        self._steps = 0

    def step(self, observation: Array, dt: float | None) -> bool:
        """Step with an observation, ``dt`` [s] after the previous one; return whether the policy may take over now."""
        try:
            self.policy.step(observation, None if self._steps == 0 else dt)
        except ObservationError:
            return False
        self._steps += 1
        return self._steps >= self._needed
