"""Learning curves as data: read from a run's CSV files or a table of many seeds, and summed up over seeds."""

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]

CONFIDENCE = 0.95
RESAMPLES = 2000
FINEST = 300  # points of a curve that sums up several runs


@dataclass(frozen=True)
class Curve:
    """
    Returns over the course of one run.

    Args:
        steps: environment steps so far, shape (N,), rising.
        seconds: training time so far [s], shape (N,).
        returns: undiscounted returns, shape (N,).
    """

    steps: Array
    seconds: Array
    returns: Array

    @classmethod
    def of(cls, rows: Iterable[tuple[float, float, float]]) -> 'Curve':
        """Return the curve through rows of (steps, seconds, return)."""
        table = np.array(list(rows), dtype=np.float64).reshape(-1, 3)
        return cls(*table.T)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.steps)

    def over(self, axis: str) -> Array:
        """Return what the x axis shows: ``steps`` or ``time`` [s]."""
        return self.steps if axis == 'steps' else self.seconds

    def smooth(self, span: float) -> 'Curve':
        """
        Return means over the points of the last ``span`` steps, each point's own included.

        Steps rather than episodes: ten episodes may be fifty steps at the beginning and ten thousand later.
        """
        sums = np.concatenate([[0.0], np.cumsum(self.returns)])
        ends = np.arange(1, len(self) + 1)
        begins = np.searchsorted(self.steps, self.steps - span, side='right').clip(max=ends - 1)
        return Curve(self.steps, self.seconds, (sums[ends] - sums[begins]) / (ends - begins))


@dataclass(frozen=True)
class Run:
    """
    One run, one seed.

    Args:
        label: runs of one label are drawn as one group.
        evaluations: mean returns of the deterministic evaluations; may be empty.
        episodes: returns of the training episodes; may be empty.
        seed: of the run, where the table says so.
    """

    label: str
    evaluations: Curve
    episodes: Curve
    seed: str = ''


@dataclass(frozen=True)
class Band:
    """A statistic over runs with its bootstrap interval; all of one shape, (N,)."""

    x: Array
    centre: Array
    low: Array
    high: Array


def read_run(label: str, evaluations: Path, episodes: Path) -> Run:
    """
    Read the two CSV files of a run's folder; one that is missing or empty gives an empty curve.

    Raises:
        ConfigError: a file holds something else.
    """
    return Run(label, _read_curve(evaluations, 'mean'), _read_curve(episodes, 'return'))


def read_table(path: Path, label: str = '') -> list[Run]:
    """
    Read a table of evaluations with one run for each ``seed``, as in ``benchmarks/results``.

    Args:
        path: a CSV with ``steps``, ``seconds``, ``mean``, and where there are several runs ``seed``, ``task`` and
            ``settings``.
        label: of all its runs; by default the task and its settings, or the file's name.

    Raises:
        ConfigError: the file cannot be read, or holds no such table.
    """
    rows = _rows(path, 'mean')
    runs: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for row, point in rows:
        settings = row.get('settings') or '{}'
        own = ' '.join(part for part in (row.get('task') or path.stem, settings if settings != '{}' else '') if part)
        runs.setdefault((label or own, row.get('seed') or ''), []).append(point)
    if not runs:
        raise ConfigError(f"'{path}' has no row yet; a learning curve needs at least one evaluation.")
    return [Run(group, Curve.of(points), Curve.of([]), seed) for (group, seed), points in runs.items()]


def grouped(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs by label, in the order in which they came."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.label, []).append(run)
    return groups


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
        statistic: along the first axis.

    Returns:
        the 2.5th and the 97.5th percentile, shape (...); the same for the same values, whenever it is asked.
    """
    rng = np.random.default_rng(0)
    tail = 50 * (1 - CONFIDENCE)
    draws = np.stack([statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(RESAMPLES)])
    low, high = np.percentile(draws, [tail, 100 - tail], axis=0)
    return low, high


def overlap(curves: Sequence[Curve], axis: str) -> bool:
    """Return whether there is a place on the x axis that all curves reach; none of them empty."""
    xs = [curve.over(axis) for curve in curves]
    return bool(max(x[0] for x in xs) <= min(x[-1] for x in xs))


def band(curves: Sequence[Curve], axis: str, statistic: Statistic) -> Band:
    """
    Sum up several runs where all of them have been evaluated; between its points each is a straight line.

    Args:
        curves: at least one, none of them empty; they overlap.
        axis: ``steps`` or ``time``.
        statistic: along the first axis of shape (runs, N).
    """
    xs = [curve.over(axis) for curve in curves]
    first, last = max(x[0] for x in xs), min(x[-1] for x in xs)
    grid = np.unique(np.concatenate(xs))
    grid = grid[(grid >= first) & (grid <= last)]
    if len(grid) > FINEST:
        grid = np.linspace(first, last, FINEST)
    values = np.stack([np.interp(grid, x, curve.returns) for x, curve in zip(xs, curves, strict=True)])
    return Band(grid, statistic(values), *interval(values, statistic))


def _read_curve(path: Path, column: str) -> Curve:
    return Curve.of(point for _, point in _rows(path, column)) if path.exists() else Curve.of([])


def _rows(path: Path, column: str) -> list[tuple[dict[str, Any], tuple[float, float, float]]]:
    """Return each row, and (steps, seconds, return) of it; a last row that is still being written does not count."""
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' cannot be read as a table: {error}.") from error
    lines = text.splitlines()
    if text and not text.endswith('\n'):
        lines.pop()
    reader = csv.DictReader(lines)
    wanted = ('steps', 'seconds', column)
    if lines and (missing := [name for name in wanted if name not in (reader.fieldnames or ())]):
        found = ', '.join(reader.fieldnames or ())[:100]
        raise ConfigError(
            f"'{path}' is not a learning curve: it lacks {', '.join(missing)} among its columns ({found}). "
            'Give a run folder, or a CSV like those in benchmarks/results.'
        )
    return [(row, _point(path, number, row, wanted)) for number, row in enumerate(reader, start=2)]


def _point(path: Path, line: int, row: dict[str, Any], wanted: Sequence[str]) -> tuple[float, float, float]:
    try:
        steps, seconds, value = (float(row[name]) for name in wanted)
        if not all(map(math.isfinite, (steps, seconds, value))):
            raise ValueError('it must be finite')
    except (TypeError, ValueError) as error:
        entries = ', '.join(f'{name} {row[name]!r}' for name in wanted)
        raise ConfigError(
            f"'{path}', line {line}: {entries}; all must be finite numbers. Mend or remove it."
        ) from error
    return steps, seconds, value
