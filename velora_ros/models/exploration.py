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


class StreamNoise:
    """
    Random numbers for n streams, each from a source of its own.

    The numbers of a stream are drawn in blocks, each from (seed, stream, block), so that they are a function of the
    step alone and nothing needs to be saved.

    Args:
        seed: seed of the run.
        n_streams: n.
        size: numbers for each stream in a step.
        kind: ``normal``, or ``uniform`` in [-1, 1].
    """

    BLOCK = 512
    """Number of steps that are drawn at once."""

    def __init__(self, seed: int, n_streams: int, size: int, kind: str = 'normal') -> None:
        self._seed, self._shape, self._kind = seed, (n_streams, size), kind
        self._block, self._values = -1, np.empty((0, n_streams, size), np.float32)

    def at(self, step: int) -> Array:
        """Return the numbers of a step, shape (n, size); they are valid until the next block is drawn."""
        block, place = divmod(step, self.BLOCK)
        if block != self._block:
            self._block, self._values = block, self._draw(block)
        values: Array = self._values[place]
        return values

    def _draw(self, block: int) -> Array:
        n_streams, size = self._shape
        values = np.empty((self.BLOCK, n_streams, size), np.float32)
        for stream in range(n_streams):
            rng = np.random.default_rng((self._seed, stream, block, self._kind == 'uniform'))
            shape = self.BLOCK, size
            values[:, stream] = (
                rng.uniform(-1, 1, shape) if self._kind == 'uniform' else rng.standard_normal(shape, np.float32)
            )
        return values


@kernel
def add_and_clip(action: Array, noise: Array) -> None:
    """Add noise to an action, shape (action,), and clip it; NaN stays NaN. numpy takes several times as long."""
    one = np.float32(1.0)
    for i in range(action.size):
        x = action[i] + noise[i]
        action[i] = one if x > one else -one if x < -one else x
