"""The diagnostics of learning as small pictures, one for each number, all over the same axis."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from velora_ros.pictures.draw_learning_curves import X_LABELS
from velora_ros.pictures.read_runs import Diagnostics
from velora_ros.pictures.style import INK, Figure, colours_of, new_figure, tidy, title

COLUMNS = 4
BY_MAGNITUDE = ('_gradient', '_lr')  # endings of names whose axis is logarithmic where values differ by this factor:
MANY = 10


def draw_diagnostics(
    tables: Sequence[Diagnostics], units: Mapping[str, str], *, axis: str = 'steps', name: str = ''
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
