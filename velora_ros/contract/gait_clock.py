"""The clock of a gait: sine and cosine of the completed share of a stride; zero while the command is zero."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def moves(command: Array, above: float) -> Mask:
    """Return whether a command is not zero, that is, any entry is above this, shape (..., entries) to (...,)."""
    found: Mask = np.abs(command).max(axis=-1) > above
    return found


def strides(time: npt.ArrayLike, period: float, phase: npt.ArrayLike = 0.0) -> Array:
    """Return the completed share of a stride of ``period`` [s], in [0, 1), at times since the start [s]."""
    found: Array = (np.asarray(time, np.float64) / period + np.asarray(phase)) % 1.0
    return found


def sine_and_cosine(stride: npt.ArrayLike, moving: npt.ArrayLike) -> Array:
    """Return the clock's observations, shape (...,) to (..., 2)."""
    angle = 2 * np.pi * np.asarray(stride)
    found: Array = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * np.asarray(moving)[..., None]
    return found
