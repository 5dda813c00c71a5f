"""The random generators of a disturbance: one for each stream of episodes, restarted by the seed of a reset."""

import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Seeds = Sequence[int | None]


class StreamGenerators:
    """
    One random generator for each of n streams, that is, environments that are stepped side by side.

    A stream's draws depend on its seed alone, not on the number of streams or on the resets of others. A mask, shape
    (n,), selects streams; None selects all. Streams outside of a mask draw nothing, and their values are 0.

    Args:
        name: name of the disturbance; different disturbances draw independently under one seed.
        n: number of streams.
    """

    def __init__(self, name: str, n: int = 1) -> None:
        self._key = zlib.crc32(name.encode())
        self._generators = [np.random.default_rng() for _ in range(n)]

    def __len__(self) -> int:
        return len(self._generators)

    def reset(self, seeds: Seeds, mask: Mask | None = None) -> None:
        """
        Restart generators with seeds; a generator without a seed continues.

        Args:
            seeds: a seed or None for each stream, of length n.
            mask: the streams that are reset.
        """
        for stream, _ in self.chosen(mask):
            if (seed := seeds[stream]) is not None:
                self._generators[stream] = np.random.default_rng([seed, self._key])

    def normal(self, deviation: Array, mask: Mask | None = None) -> Array:
        """Draw normally distributed numbers, shape (n, k), with standard deviations of shape (k,)."""
        drawn = np.zeros((len(self), *deviation.shape))
        for stream, generator in self.chosen(mask):
            generator.standard_normal(out=drawn[stream])
        return drawn * deviation

    def uniform(self, mask: Mask | None = None) -> Array:
        """Draw numbers from 0 to 1, without 1, shape (n,)."""
        drawn = np.zeros(len(self))
        for stream, generator in self.chosen(mask):
            drawn[stream] = generator.random()
        return drawn

    def integers(self, least: int, greatest: int, mask: Mask | None = None) -> npt.NDArray[np.int64]:
        """Draw whole numbers from ``least`` to ``greatest``, both included, shape (n,)."""
        drawn = np.zeros(len(self), dtype=np.int64)
        for stream, generator in self.chosen(mask):
            drawn[stream] = generator.integers(least, greatest + 1)
        return drawn

    def chosen(self, mask: Mask | None) -> Iterable[tuple[int, np.random.Generator]]:
        """Return the index and the generator of each stream in the mask."""
        if mask is None:
            return enumerate(self._generators)
        return [(stream, self._generators[stream]) for stream in np.flatnonzero(mask).tolist()]
