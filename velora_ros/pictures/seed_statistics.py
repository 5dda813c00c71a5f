"""Statistics over the runs of several seeds: interquartile mean, median or mean, with a bootstrap interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from velora_ros.pictures.read_runs import Curve

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]

CONFIDENCE = 0.95
RESAMPLES = 2000
FINEST = 300  # points of a band


@dataclass(frozen=True)
class Band:
    """A statistic over runs with its bootstrap interval; each array has the shape (N,)."""

    x: Array
    centre: Array
    low: Array
    high: Array


def interquartile_mean(values: Array) -> Array:
    """Return the mean of the middle half along the first axis (arXiv 2108.13264)."""
    cut = len(values) // 4
    mean: Array = np.sort(values, axis=0)[cut : len(values) - cut].mean(axis=0)
    return mean


STATISTICS: Mapping[str, Statistic] = {
    'iqm': interquartile_mean,
    'median': lambda values: np.asarray(np.median(values, axis=0)),
    'mean': lambda values: np.asarray(values.mean(axis=0)),
}
NAMES = {'iqm': 'interquartile mean', 'median': 'median', 'mean': 'mean'}


def interval(values: Array, statistic: Statistic) -> tuple[Array, Array]:
    """
    Return the bootstrap percentile interval of a statistic over runs.

    Args:
        values: shape (runs, ...).
        statistic: function that computes the statistic along the first axis.

    Returns:
        the 2.5th and the 97.5th percentile, shape (...); equal values always give equal percentiles.
    """
    rng = np.random.default_rng(0)
    tail = 50 * (1 - CONFIDENCE)
    draws = np.stack([statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(RESAMPLES)])
    low, high = np.percentile(draws, [tail, 100 - tail], axis=0)
    return low, high


def overlap(curves: Sequence[Curve], axis: str) -> bool:
    """Return whether all curves share some part of the x axis; no curve may be empty."""
    xs = [curve.over(axis) for curve in curves]
    return bool(max(x[0] for x in xs) <= min(x[-1] for x in xs))


def band(curves: Sequence[Curve], axis: str, statistic: Statistic) -> Band:
    """
    Compute a statistic over several runs, on the part of the x axis that they share; points are joined linearly.

    Args:
        curves: one or more curves that :func:`overlap`; none is empty.
        axis: ``steps`` or ``time``.
        statistic: function that computes the statistic along the first axis of an array of shape (runs, N).
    """
    xs = [curve.over(axis) for curve in curves]
    first, last = max(x[0] for x in xs), min(x[-1] for x in xs)
    grid = np.unique(np.concatenate(xs))
    grid = grid[(grid >= first) & (grid <= last)]
    if len(grid) > FINEST:
        grid = np.linspace(first, last, FINEST)
    values = np.stack([np.interp(grid, x, curve.returns) for x, curve in zip(xs, curves, strict=True)])
    return Band(grid, statistic(values), *interval(values, statistic))
