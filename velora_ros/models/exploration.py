"""
Exploration: random actions in the start-up steps, then Gaussian noise on the policy's actions.

The share of the noise that an episode gets (``noise_low``) is drawn by the loop, which counts episodes.
"""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel

Array = npt.NDArray[np.float32]


def random_action(n_actions: int, rng: np.random.Generator) -> Array:
    """Draw an action uniformly from [-1, 1], shape (action,)."""
    return rng.uniform(-1, 1, n_actions).astype(np.float32)


def explore(action: Array, deviation: float, rng: np.random.Generator) -> None:
    """
    Add exploration noise to an action and clip it to [-1, 1], in place.

    Args:
        action: shape (action,).
        deviation: standard deviation of the noise, in normalised actions.
        rng: the random generator.
    """
    add_and_clip(action, deviation * rng.standard_normal(action.shape, dtype=np.float32))


@kernel
def add_and_clip(action: Array, noise: Array) -> None:
    """Add noise to an action, shape (action,), and clip it; NaN stays NaN. numpy takes several times as long."""
    one = np.float32(1.0)
    for i in range(action.size):
        x = action[i] + noise[i]
        action[i] = one if x > one else -one if x < -one else x
