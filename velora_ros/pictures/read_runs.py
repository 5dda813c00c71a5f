"""Read the records of runs: returns and diagnostics, from the CSV files of a run or a table of many seeds."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """
    The returns of one run over its steps.

    Args:
        steps: environment steps so far, shape (N,), increasing.
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
        """Return the values on the x axis: ``steps``, or ``time`` [s]."""
        return self.steps if axis == 'steps' else self.seconds

    def smooth(self, span: float) -> 'Curve':
        """
        Return a curve in which each point is the mean over the last ``span`` steps, including the point itself.

        The span is in steps because ten episodes may be fifty steps at the beginning and ten thousand later.
        """
        sums = np.concatenate([[0.0], np.cumsum(self.returns)])
        ends = np.arange(1, len(self) + 1)
        begins = np.searchsorted(self.steps, self.steps - span, side='right').clip(max=ends - 1)
        return Curve(self.steps, self.seconds, (sums[ends] - sums[begins]) / (ends - begins))


@dataclass(frozen=True)
class Run:
    """
    The learning curves of one run, which has one seed.

    Args:
        label: runs with the same label are drawn as one group.
        evaluations: mean returns of the deterministic evaluations; may be empty.
        episodes: returns of the training episodes; may be empty.
        seed: seed of the run, if the table names it.
    """

    label: str
    evaluations: Curve
    episodes: Curve
    seed: str = ''


@dataclass(frozen=True)
class Diagnostics:
    """
    The diagnostics of one run.

    Args:
        label: runs with the same label have one colour.
        steps: environment steps at each record, shape (N,).
        seconds: training time at each record [s], shape (N,).
        values: every column by name, shape (N,); NaN where nothing was measured.
    """

    label: str
    steps: Array
    seconds: Array
    values: Mapping[str, Array]


def read_run(label: str, evaluations: Path, episodes: Path) -> Run:
    """
    Read a run's two CSV files; a file that is missing or empty gives an empty curve.

    Raises:
        ConfigError: a file is not a learning curve.
    """
    return Run(label, _read_curve(evaluations, 'mean'), _read_curve(episodes, 'return'))


def read_diagnostics(path: Path, label: str) -> Diagnostics:
    """
    Read ``diagnostics.csv`` of a run's folder, including columns that are unknown to this version.

    Raises:
        ConfigError: the file is missing, has no rows yet, or is not a table of diagnostics.
    """
    if path.parent.is_file():
        raise ConfigError(f"'{path.parent}' is a file; give the folder of the run.")
    if not path.exists():
        raise ConfigError(
            f"'{path}' does not exist: this is not a run folder, or the version that wrote it had no diagnostics. Give "
            "the folder that 'velora_ros train' printed, or resume the run (--resume)."
        )
    columns, rows = _table(path)
    try:
        values = {name: np.array([float(row[name]) for row in rows]) for name in columns}
    except (ValueError, TypeError) as error:
        raise ConfigError(f"'{path}' is not a table of diagnostics ({error}); restore the original file.") from error
    if not rows or not {'steps', 'seconds'} <= values.keys():
        raise ConfigError(f"'{path}' has no row with steps and seconds yet; wait for the first, after 1,000 steps.")
    return Diagnostics(label, values.pop('steps'), values.pop('seconds'), values)


def read_table(path: Path, label: str = '') -> list[Run]:
    """
    Read a table of evaluations with one run for each ``seed``, as in ``benchmarks/results``.

    Args:
        path: a CSV with the columns ``steps``, ``seconds``, ``mean``, and for several runs also ``seed``, ``task`` and
            ``settings``.
        label: label of all its runs; by default the task and its settings, or the file's name.

    Raises:
        ConfigError: the file cannot be read, or is not a table of evaluations.
    """
    rows = _rows(path, 'mean')
    runs: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for row, point in rows:
        settings = row.get('settings') or '{}'
        own = ' '.join(part for part in (row.get('task') or path.stem, settings if settings != '{}' else '') if part)
        runs.setdefault((label or own, row.get('seed') or ''), []).append(point)
    if not runs:
        raise ConfigError(f"'{path}' has no rows yet; wait for the first evaluation.")
    return [Run(group, Curve.of(points), Curve.of([]), seed) for (group, seed), points in runs.items()]


def grouped(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Group the runs by label, in their original order."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.label, []).append(run)
    return groups


def _read_curve(path: Path, column: str) -> Curve:
    return Curve.of(point for _, point in _rows(path, column)) if path.exists() else Curve.of([])


def _rows(path: Path, column: str) -> list[tuple[dict[str, Any], tuple[float, float, float]]]:
    """Return each row with its (steps, seconds, return)."""
    columns, rows = _table(path)
    wanted = ('steps', 'seconds', column)
    if columns and (missing := [name for name in wanted if name not in columns]):
        raise ConfigError(
            f"'{path}' is not a learning curve: it lacks {', '.join(missing)} among its columns "
            f'({", ".join(columns)[:100]}). Give a run folder, or a CSV like those in benchmarks/results.'
        )
    return [(row, _point(path, number, row, wanted)) for number, row in enumerate(rows, start=2)]


def _table(path: Path) -> tuple[Sequence[str], list[dict[str, Any]]]:
    """Return a CSV's columns and rows, without a last row that is still being written."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' cannot be read as a table: {error}. Give a run folder or a CSV.") from error
    reader = csv.DictReader(line for line in lines if line.endswith('\n'))
    return reader.fieldnames or (), list(reader)


def _point(path: Path, line: int, row: dict[str, Any], wanted: Sequence[str]) -> tuple[float, float, float]:
    try:
        steps, seconds, value = (float(row[name]) for name in wanted)
        if not all(map(math.isfinite, (steps, seconds, value))):
            raise ValueError('it must be finite')
    except (TypeError, ValueError) as error:
        entries = ', '.join(f'{name} {row[name]!r}' for name in wanted)
        raise ConfigError(
            f"'{path}', line {line}: {entries}; all must be finite numbers. Correct or remove the line."
        ) from error
    return steps, seconds, value
