"""Position servos whose stiffness and damping come with each command, as in many drives of legged robots."""

from typing import NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Gains(NamedTuple):
    """
    The gains in a command, shape (action,) each; None keeps the servos' own gains.

    Args:
        stiffness: stiffness of each servo [N*m/rad or N/m].
        damping: damping of each servo [N*m*s/rad or N*s/m].
    """

    stiffness: Array | None = None
    damping: Array | None = None


class ServoGains:
    """
    Writes the gains of position servos into the fields of a model.

    A servo whose gains differ from the model's, because the simulation varies them, differs from the commanded gains by
    the same factor.

    Args:
        model: the model, with the gains that commands are given for.
        servos: the actuators, one for each action.
        gain: ``actuator_gainprm`` as it is simulated, shape (..., actuator, numbers); it is changed.
        bias: ``actuator_biasprm`` as it is simulated, shape (..., actuator, numbers); it is changed.
    """

    def __init__(self, model: mujoco.MjModel, servos: npt.ArrayLike, gain: Array, bias: Array) -> None:
        self._servos = np.asarray(servos, dtype=int)
        square = np.square(model.actuator_gear[self._servos, 0])
        self._model_stiffness = -model.actuator_biasprm[self._servos, 1] * square
        self._model_damping = -model.actuator_biasprm[self._servos, 2] * square
        self._square, self._gain, self._bias = square, gain, bias
        self.begin()

    def begin(self) -> None:
        """Store the current gains as the servos' own."""
        self._own_gain = self._gain[..., self._servos, 0].copy()
        self._own_bias = self._bias[..., self._servos, :3].copy()

    def set(self, gains: Gains) -> None:
        """Set these gains; with None, restore the servos' own."""
        stiffness, damping = gains
        factor = 1.0 if stiffness is None else stiffness / self._model_stiffness
        self._gain[..., self._servos, 0] = self._own_gain * factor
        self._bias[..., self._servos, 0] = self._own_bias[..., 0] * factor
        self._bias[..., self._servos, 1] = self._own_bias[..., 1] * factor
        self._bias[..., self._servos, 2] = self._own_bias[..., 2] if damping is None else self._damped(damping)

    def _damped(self, damping: Array) -> Array:
        """Return the bias for a damping; where the model has no damping, the command's damping is used as it is."""
        has_own = self._model_damping > 0
        factor = damping / np.where(has_own, self._model_damping, 1.0)
        return np.where(has_own, self._own_bias[..., 2] * factor, -damping / self._square)
