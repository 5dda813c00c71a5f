"""The gait clock: sine and cosine of the completed fraction of a stride; both are zero while the command is zero."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def moves(command: Array, above: float) -> Mask:
    """Return whether any absolute value in a command is larger than ``above``, shape (..., entries) to (...,)."""
    found: Mask = np.abs(command).max(axis=-1) > above
    return found


def strides(time: npt.ArrayLike, period: float, phase: npt.ArrayLike = 0.0) -> Array:
    """Return the completed fraction of a stride of ``period`` [s], in [0, 1), at ``time`` since the start [s]."""
    found: Array = (np.asarray(time, np.float64) / period + np.asarray(phase)) % 1.0
    return found


def sine_and_cosine(stride: npt.ArrayLike, moving: npt.ArrayLike) -> Array:
    """Return sine and cosine of a fraction of a stride, shape (...,) to (..., 2); zero where ``moving`` is False."""
    angle = 2 * np.pi * np.asarray(stride)
    found: Array = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * np.asarray(moving)[..., None]
    return found
