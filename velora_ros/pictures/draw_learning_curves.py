"""Draw learning curves: one colour for each group of runs, with a line and an interval over its seeds."""

from collections.abc import Sequence

from velora_ros.pictures.read_runs import Curve, Run, grouped
from velora_ros.pictures.seed_statistics import NAMES, STATISTICS, band, overlap
from velora_ros.pictures.style import COLOURS, INK, Axes, Figure, colours_of, new_figure, tidy, title

SPAN = 0.03  # share of the steps over which returns of training episodes are averaged
X_LABELS = {'steps': 'environment steps', 'time': 'training time [s]'}
PANELS = {
    'evaluations': 'evaluation return (deterministic)',
    'episodes': 'episode return (with exploration noise)',
}


def draw_learning(
    runs: Sequence[Run], *, axis: str = 'steps', statistic: str = 'iqm', solved: float | None = None, name: str = ''
) -> Figure:
    """
    Draw evaluation returns and, in a panel below, the returns of the training episodes if there are any.

    A group of one run is one line. A group of several runs has a line for the statistic, its 95 % bootstrap interval,
    and a thin line for each run. Episode returns are averaged over 3 % of the steps; for a single run they are also
    drawn as dots.

    Args:
        runs: at least one, with at least one point; runs with the same label are a group.
        axis: ``steps`` or ``time``.
        statistic: statistic over the runs of a group: ``iqm``, ``median`` or ``mean``.
        solved: return at which a line is drawn; None: no line.
        name: the picture's title.
    """
    kinds = [kind for kind in PANELS if any(len(getattr(run, kind)) for run in runs)]
    groups = grouped(runs)
    colours = dict(zip(groups, colours_of(len(groups)), strict=True))
    figure = new_figure(9.0, 0.8 + 3.3 * len(kinds))
    panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for axes, kind in zip(panels, kinds, strict=True):
        for label, members in groups.items():
            curves = [curve for run in members if len(curve := getattr(run, kind))]
            if kind == 'episodes' and len(curves) == len(groups) == 1:
                axes.plot(curves[0].over(axis), curves[0].returns, '.', ms=5, alpha=0.5, color=COLOURS[5], mew=0)
            if kind == 'episodes':
                curves = [curve.smooth(SPAN * curve.steps[-1]) for curve in curves]
            _draw_group(axes, curves, label=label, colour=colours[label], axis=axis, statistic=statistic)
        if solved is not None:
            axes.axhline(solved, color='#8c8c8c', lw=1.0, ls='--')
            axes.annotate(
                'solved', (1, solved), xycoords=('axes fraction', 'data'), ha='right', va='bottom', fontsize=8,
                color='#6b6b6b', xytext=(0, 2), textcoords='offset points',
            )  # fmt: skip
        tidy(axes)
        several = any(len(members) > 1 for members in groups.values())
        title(axes, PANELS[kind], f'{NAMES[statistic]} of the seeds, 95 % interval' if several else '')
        if any(axes.get_legend_handles_labels()[1]):
            axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc='best')
    panels[-1].set_xlabel(X_LABELS[axis], fontsize=9, color=INK)
    panels[-1].xaxis.set_major_formatter(lambda value, _: f'{value:,.10g}')
    if name:
        figure.suptitle(name, fontsize=12, color=INK, fontweight='bold')
    return figure


def _draw_group(axes: Axes, curves: Sequence[Curve], *, label: str, colour: str, axis: str, statistic: str) -> None:
    if not curves:
        return
    if len(curves) == 1:
        marker = 'o' if len(curves[0]) == 1 else None
        axes.plot(curves[0].over(axis), curves[0].returns, lw=1.8, color=colour, label=label, marker=marker, ms=4)
        return
    for curve in curves:
        axes.plot(curve.over(axis), curve.returns, lw=0.6, alpha=0.3, color=colour)
    if not overlap(curves, axis):
        axes.plot([], [], lw=2.0, color=colour, label=f'{label} ({len(curves)} seeds without {axis} in common)')
        return
    summary = band(curves, axis, STATISTICS[statistic])
    axes.fill_between(summary.x, summary.low, summary.high, color=colour, alpha=0.2, lw=0)
    axes.plot(summary.x, summary.centre, lw=2.0, color=colour, label=f'{label} ({len(curves)} seeds)')
