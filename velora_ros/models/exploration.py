"""Noise in one compiled call each; numpy takes several times as long, most of it in ``clip``. NaN stays NaN."""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel

Array = npt.NDArray[np.float32]


@kernel
def scale_and_clip(noise: Array, scale: float, limit: float) -> None:
    """Multiply noise, shape (n,), by ``scale`` and clip it at ``limit``, in place."""
    scale32, limit32 = np.float32(scale), np.float32(limit)
    for n in range(noise.size):
        x = scale32 * noise[n]
        noise[n] = limit32 if x > limit32 else -limit32 if x < -limit32 else x


@kernel
def add_and_clip(action: Array, noise: Array) -> None:
    """Add noise to an action, both of shape (action,), and clip it to [-1, 1], in place."""
    one = np.float32(1.0)
    for i in range(action.size):
        x = action[i] + noise[i]
        action[i] = one if x > one else -one if x < -one else x
