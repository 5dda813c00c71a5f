"""Sensors that fail: observations that keep one value, and observations that read NaN."""

from collections.abc import Sequence

import numpy as np

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym.disturbances.random_generators import Array, Mask, StreamGenerators


class StuckSensors:
    """
    Observations of n streams that keep the value that they had when they got stuck.

    Args:
        n: number of streams.
        size: number of observations of a stream, k.
    """

    def __init__(self, n: int, size: int) -> None:
        self._stuck = np.zeros(size, dtype=bool)
        self._values = np.full((n, size), np.nan)  # NaN until the first reading

    def choose(self, stuck: Sequence[int]) -> None:
        """Set which observations are stuck from now on, by index; those already stuck keep their value."""
        self._stuck[:] = False
        self._stuck[list(stuck)] = True
        self._values[:, ~self._stuck] = np.nan

    @property
    def any(self) -> bool:
        """Whether an observation is stuck."""
        return bool(self._stuck.any())

    def read(self, observations: Array, mask: Mask | None = None) -> Array:
        """
        Return the readings of the sensors, shape (n, k).

        Args:
            observations: the true values, shape (n, k).
            mask: the streams that are read, shape (n,); None: all. The others' observations are returned unchanged.
        """
        stuck = self._stuck if mask is None else self._stuck & mask[:, None]
        first = stuck & np.isnan(self._values)
        self._values = np.where(first, observations, self._values)
        return np.where(stuck, self._values, observations)


class NanSensors:
    """
    Observations of n streams that read NaN, all at once, with a probability in each reading.

    Args:
        nan: indices of the observations.
        probability: probability of NaN in a reading.
        streams: the random generators.
    """

    def __init__(self, nan: Sequence[int], probability: float, streams: StreamGenerators) -> None:
        self._nan, self._probability, self._streams = list(nan), probability, streams

    def read(self, observations: Array, mask: Mask | None = None) -> tuple[Array, Mask]:
        """
        Return the readings of the sensors, shape (n, k), and the streams in which they are NaN, shape (n,).

        Args:
            observations: the true values, shape (n, k).
            mask: the streams that are read, shape (n,); None: all. The others' observations are returned unchanged.
        """
        fail = self._streams.uniform(mask) < self._probability
        if mask is not None:
            fail &= mask
        read = np.array(observations, dtype=np.float64)
        read[np.flatnonzero(fail)[:, None], self._nan] = np.nan
        return read, fail


def indices_of(field: str, chosen: Sequence[str], names: Sequence[str]) -> list[int]:
    """
    Return the indices of observations that are given by the names of observations or of joints.

    Args:
        field: name of the setting, for the error.
        chosen: names of observations, or of joints with all their observations.
        names: the observations' names, ``<joint>/<interface>`` where they belong to a joint.

    Raises:
        ConfigError: there is no such observation or joint.
    """
    found: set[int] = set()
    for name in chosen:
        hit = [i for i, own in enumerate(names) if own == name or own.rpartition('/')[0] == name != '']
        if not hit:
            joints = {own.rpartition('/')[0] for own in names} - {''}
            hint = did_you_mean(name, {*joints, *names})
            raise ConfigError(f"faults: {field} names '{name}', which is not an observation or a joint.{hint}")
        found.update(hit)
    return sorted(found)
