"""Draw the diagnostics of learning, in one small panel for each number, over the same axis."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from velora_ros.pictures.draw_learning_curves import X_LABELS
from velora_ros.pictures.read_runs import Diagnostics
from velora_ros.pictures.style import INK, Figure, colours_of, new_figure, tidy, title

COLUMNS = 4
LOGARITHMIC = ('_gradient', '_lr')
"""Numbers whose names end like this get a logarithmic axis if they vary by more than :data:`FACTOR`."""
FACTOR = 10


def draw_diagnostics(
    tables: Sequence[Diagnostics], units: Mapping[str, str], *, axis: str = 'steps', name: str = ''
) -> Figure:
    """
    Draw every number that any of the runs has.

    Args:
        tables: the diagnostics of one or more runs.
        units: the names to draw, in this order, with their units.
        axis: ``steps`` or ``time``.
        name: the picture's title.
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
        if one.endswith(LOGARITHMIC) and 0 < FACTOR * values.min() < values.max():
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
