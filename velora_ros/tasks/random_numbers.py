"""
Random numbers of many simulations, drawn for all at once: each simulation has a stream of its own.

A number is a hash of the stream's key and of the count of numbers drawn from it (SplitMix64, Steele, Lea and Flood
2014, doi 10.1145/2660193.2660195). So it depends on the seed, the stream and the episode, but not on the number of
simulations or on the other simulations. The state of all streams is two arrays.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
Ids = npt.NDArray[np.intp]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BITS = 14  # for normal numbers: the quantiles of 16,384 equally likely intervals, at most 4 deviations from 0
_QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / 2**_BITS) for i in range(2**_BITS)])


def mixed(words: Words) -> Words:
    """Return SplitMix64's hash of each word."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    hashed: Words = words ^ (words >> np.uint64(31))
    return hashed


def key_of(*parts: 'int | npt.NDArray[Any]') -> Words:
    """Return keys of streams, made from numbers or arrays of one shape, such as seed, stream and episode."""
    key: Words = np.zeros((), np.uint64)
    for part in parts:
        word = np.uint64(part & 0xFFFFFFFFFFFFFFFF) if isinstance(part, int) else part.astype(np.uint64)
        key = mixed((key + _STEP) ^ mixed(np.atleast_1d(word) + _STEP))
    return key


class Draws:
    """
    A stream of random numbers for each of n simulations.

    Args:
        n: number of simulations.
    """

    def __init__(self, n: int) -> None:
        self.keys: Words = np.zeros(n, np.uint64)
        self.counts: Words = np.zeros(n, np.uint64)

    def begin(self, ids: Ids, keys: Words) -> None:
        """Begin new streams in these simulations."""
        self.keys[ids], self.counts[ids] = keys, 0

    def uniform(self, ids: Ids, low: npt.ArrayLike, high: npt.ArrayLike, size: int) -> Array:
        """Return uniformly distributed numbers in [low, high), shape (ids, size)."""
        low = np.asarray(low, np.float64)
        unit = (self._words(ids, size) >> np.uint64(11)) * 2.0**-53
        drawn: Array = low + (np.asarray(high) - low) * unit
        return drawn

    def normal(self, ids: Ids, size: int) -> Array:
        """Return standard normal numbers, shape (ids, size)."""
        return _QUANTILES.take((self._words(ids, size) >> np.uint64(64 - _BITS)).astype(np.intp))

    def _words(self, ids: Ids, size: int) -> Words:
        counts = self.counts[ids]
        self.counts[ids] = counts + np.uint64(size)
        places = counts[:, None] + np.arange(1, size + 1, dtype=np.uint64)
        words: Words = (self.keys[ids][:, None] + _STEP * places).astype(np.uint64, copy=False)
        return mixed(words)
