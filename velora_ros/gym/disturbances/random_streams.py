"""One random stream for each wrapper, started by ``reset(seed=...)``."""

import zlib

import numpy as np


class Stream:
    """
    A wrapper's own random generator.

    Args:
        name: keeps the streams of different wrappers apart under one seed.
    """

    def __init__(self, name: str) -> None:
        self._key = zlib.crc32(name.encode())
        self.rng = np.random.default_rng()

    def on_reset(self, seed: int | None) -> None:
        """Start again where a seed is given; without one go on."""
        if seed is not None:
            self.rng = np.random.default_rng([seed, self._key])
