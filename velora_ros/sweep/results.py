"""The results of a sweep: a table of its trials, and a table of its settings with statistics over the seeds."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from velora_ros.pictures.read_runs import read_run
from velora_ros.sweep.plan import Setting, Sweep, Trial
from velora_ros.training.runs.paths import RunPaths
from velora_ros.utils.atomic_files import atomic_write

FINISHED, STOPPED, FAILED = 'finished', 'stopped', 'failed'


@dataclass(frozen=True)
class TrialResult:
    """
    The result of one trial.

    Args:
        trial: the trial.
        status: finished, stopped early by the scheduler, or failed.
        steps: steps of its last evaluation; 0 without an evaluation.
        last: mean return of the last evaluation; NaN without an evaluation.
        best: mean return of the best evaluation; NaN without an evaluation.
        seconds: training time up to the last evaluation [s].
        message: why the trial failed, or its warnings.
    """

    trial: Trial
    status: str
    steps: int
    last: float
    best: float
    seconds: float
    message: str = ''

    @classmethod
    def read(cls, folder: Path, trial: Trial, status: str, message: str = '') -> 'TrialResult':
        """Read the evaluations in a trial's run folder."""
        paths = RunPaths(folder / trial.name)
        curve = read_run('', paths.evaluations, paths.episodes).evaluations
        if not len(curve):
            return cls(trial, status, 0, float('nan'), float('nan'), 0.0, message)
        best = float(curve.returns.max())
        return cls(
            trial, status, int(curve.steps[-1]), float(curve.returns[-1]), best, float(curve.seconds[-1]), message
        )

    def row(self) -> dict[str, Any]:
        """Return the row of the table, by column."""
        own = {'trial': self.trial.name, 'seed': self.trial.config.seed, 'status': self.status, 'steps': self.steps}
        measured = {'last_return': self.last, 'best_return': self.best, 'seconds': round(self.seconds, 3)}
        return {**own, **measured, 'message': self.message, **written(self.trial.setting)}


@dataclass(frozen=True)
class SettingResult:
    """
    The result of one setting over its seeds.

    Args:
        label: the setting's name.
        setting: its hyperparameters.
        trials: the trials that finished or were stopped.
        planned: number of trials that the sweep has for it.
        rank_by: the return of a trial that counts, ``last`` or ``best``.
    """

    label: str
    setting: Setting
    trials: Sequence[TrialResult]
    planned: int
    rank_by: str

    @property
    def returns(self) -> list[float]:
        """The returns used for the ranking, one for each trial."""
        return [float(getattr(one, self.rank_by)) for one in self.trials]

    @property
    def mean(self) -> float:
        """Mean of the returns; NaN without a trial."""
        return float(np.mean(self.returns)) if self.trials else float('nan')

    def row(self) -> dict[str, Any]:
        """Return the row of the table, by column."""
        stopped = sum(one.status == STOPPED for one in self.trials)
        spread = {'mean': self.mean, 'median': float('nan'), 'min': float('nan'), 'max': float('nan')}
        if self.trials:
            spread |= {'median': float(np.median(self.returns)), 'min': min(self.returns), 'max': max(self.returns)}
        counts = {'trials': len(self.trials), 'planned': self.planned, 'stopped': stopped}
        return {'setting': self.label, **counts, **spread, **written(self.setting)}


def rank(sweep: Sweep, results: Sequence[TrialResult]) -> list[SettingResult]:
    """Return the results of all settings, the best mean first, settings without a trial last."""
    ranked = []
    for label, setting in zip(sweep.labels(), sweep.settings, strict=True):
        own = [one for one in results if one.trial.setting == setting and one.status != FAILED]
        own = [one for one in own if one.steps]
        ranked.append(SettingResult(label, setting, own, len(sweep.seeds), sweep.rank_by))
    return sorted(ranked, key=lambda one: one.mean if one.trials else -np.inf, reverse=True)


def table(ranked: Sequence[SettingResult]) -> list[str]:
    """Return the table of the settings as lines of text."""
    width = max(len('setting'), *(len(one.label) for one in ranked))
    lines = [f'{"setting":<{width}}  trials      mean    median       min       max']
    for one in ranked:
        row = one.row()
        numbers = ''.join(
            f'{row[name]:10.2f}' if one.trials else f'{"-":>10}' for name in ('mean', 'median', 'min', 'max')
        )
        early = f'  {row["stopped"]} stopped early' if row['stopped'] else ''
        lines.append(f'{one.label:<{width}}  {row["trials"]:>2}/{one.planned:<3}{numbers}{early}')
    return lines


def write_csv(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """
    Write a table; a column that a row does not have stays empty.

    Raises:
        StorageError: the file cannot be written; an older file is unchanged.
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def written(setting: Setting) -> dict[str, Any]:
    """Return a setting in the form of the table: the numbers of a list separated by spaces."""
    return {name: ' '.join(map(str, value)) if isinstance(value, tuple) else value for name, value in setting.items()}
