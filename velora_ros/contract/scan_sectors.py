"""
Finds the shortest range in each sector of a scan, for any number of rays, by the rules of REP 117.

A range of inf means "nothing within reach" and is read as the maximum range. -inf means "closer than the sensor can
measure" and is read as the minimum range. NaN and ranges below the minimum are not measurements.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.contract.transforms import TURN, fill_ranges

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class Rays:
    """
    Assigns the rays of a scan to sectors.

    Args:
        sectors: lowest and highest angle of each sector [rad]; a sector may cross the end of the scan.
        count: number of rays.
        first: angle of the first ray [rad].
        step: angle between two rays [rad].
    """

    def __init__(self, sectors: Sequence[tuple[float, float]], count: int, first: float, step: float) -> None:
        angles = first + step * np.arange(count)
        room = abs(step) * 1e-3  # so that rounding does not move a ray to the other side of an edge
        chosen = [np.flatnonzero((angles - low + room) % TURN < high - low) for low, high in sectors]
        self.empty = [i for i, one in enumerate(chosen) if not len(one)]
        """The indices of the sectors without a ray."""
        self.order: Indices = np.concatenate([one if len(one) else np.zeros(1, np.intp) for one in chosen])
        self.starts: Indices = np.cumsum([0, *(max(len(one), 1) for one in chosen[:-1])])

    def least(self, ranges: Array) -> Array:
        """Return the shortest range in each sector [m], (..., rays) to (..., sectors); inf if nothing was measured."""
        found: Array = np.minimum.reduceat(ranges[..., self.order], self.starts, axis=-1)
        if self.empty:
            found[..., self.empty] = np.inf
        return found


def measured(ranges: Array, least: float, greatest: float, *, zero_is_far: bool = False) -> Array:
    """
    Return ranges in which infinite values are replaced as REP 117 defines, and inf stands for "not measured".

    Args:
        ranges: the ranges of a scan, shape (..., rays) [m].
        least: minimum range of the sensor [m].
        greatest: maximum range of the sensor [m]; 0 if it is not known, so that "nothing within reach" stays inf.
        zero_is_far: whether a range of 0 means "nothing within reach", as from some drivers.
    """
    if zero_is_far:
        ranges = np.where(ranges == 0, np.inf, ranges)
    filled = fill_ranges(ranges, least, greatest)
    if greatest > 0:
        filled = np.minimum(filled, greatest)
    return np.where(np.isnan(filled) | (filled < least), np.inf, filled)
