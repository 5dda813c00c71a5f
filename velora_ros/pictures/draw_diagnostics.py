"""The diagnostics of learning as small pictures, one for each number, all over the same axis."""

import csv
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.pictures.draw_learning_curves import X_LABELS
from velora_ros.pictures.style import INK, Figure, colours_of, new_figure, tidy, title

COLUMNS = 4
BY_MAGNITUDE = ('_gradient', '_lr')  # endings of names whose axis is logarithmic where values differ by this factor:
MANY = 10


@dataclass(frozen=True)
class Table:
    """
    The diagnostics of one run.

    Args:
        label: runs of one label have one colour.
        steps: environment steps at each record, shape (N,).
        seconds: training time at each [s], shape (N,).
        values: by name, shape (N,); NaN where nothing was measured.
    """

    label: str
    steps: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    values: Mapping[str, npt.NDArray[np.float64]]


def read_diagnostics(path: Path, label: str) -> Table:
    """
    Read ``diagnostics.csv`` of a run's folder; columns that are not known are read too.

    Raises:
        ConfigError: the file is missing, has no row yet, or holds something else.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
        rows = list(csv.DictReader(line for line in lines if line.endswith('\n')))  # the last may still be written
        columns = {name: np.array([float(row[name]) for row in rows]) for name in (rows[0] if rows else {})}
        steps, seconds = columns.pop('steps', None), columns.pop('seconds', None)
    except FileNotFoundError:
        raise ConfigError(
            f"'{path}' does not exist: the run is of a version without diagnostics, or this is not a run folder. Give "
            "the folder that 'velora_ros train' printed, or go on with the run (--resume)."
        ) from None
    except NotADirectoryError:
        raise ConfigError(f"'{path.parent}' is a file; give the folder of the run.") from None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"'{path}' is not a table of diagnostics ({error}); restore it.") from error
    if steps is None or seconds is None:
        raise ConfigError(f"'{path}' has no row with steps and seconds yet; a run writes one every 1,000 steps.")
    columns.pop('episode', None)
    return Table(label, steps, seconds, columns)


def draw_diagnostics(
    tables: Sequence[Table], units: Mapping[str, str], *, axis: str = 'steps', name: str = ''
) -> Figure:
    """
    Draw every number that any run has.

    Args:
        tables: of the runs, at least one.
        units: the names to draw, in their order, with the unit of each.
        axis: ``steps`` or ``time``.
        name: what the picture is called.
    """
    drawn = [one for one in units if any(np.isfinite(table.values.get(one, math.nan)).any() for table in tables)]
    labels = list(dict.fromkeys(table.label for table in tables))
    colours = dict(zip(labels, colours_of(len(labels)), strict=True))
    n_rows = max(1, math.ceil(len(drawn) / COLUMNS))
    figure = new_figure(3.1 * COLUMNS, 0.7 + 2.1 * n_rows)
    panels = figure.subplots(n_rows, COLUMNS, squeeze=False, sharex=True).ravel()
    for axes, one in itertools.zip_longest(panels, drawn):
        if one is None:
            axes.set_visible(False)
            continue
        for table in tables:
            x, y = table.steps if axis == 'steps' else table.seconds, table.values.get(one)
            if y is not None and (known := np.isfinite(y)).any():
                marker = '.' if known.sum() < 3 else None
                axes.plot(x[known], y[known], lw=1.4, color=colours[table.label], marker=marker, label=table.label)
        values = np.concatenate([table.values[one] for table in tables if one in table.values])
        values = values[np.isfinite(values)]
        if one.endswith(BY_MAGNITUDE) and 0 < MANY * values.min() < values.max():
            axes.set_yscale('log')
            axes.yaxis.set_major_formatter(lambda value, _: f'{value:g}')
        tidy(axes)
        axes.xaxis.set_major_formatter(lambda value, _: f'{value:,.10g}')
        title(axes, one)
        axes.set_ylabel(units[one], fontsize=8, color=INK)
    for axes in panels[max(0, len(drawn) - COLUMNS) : len(drawn)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(X_LABELS[axis], fontsize=8, color=INK)
    if len(labels) > 1:
        handles = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles, loc='outside lower center', ncols=4, frameon=False, fontsize=8)
    if name:
        figure.suptitle(name, fontsize=12, color=INK, fontweight='bold')
    return figure
