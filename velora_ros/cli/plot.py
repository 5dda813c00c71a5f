"""``velora_ros plot RUN...``: draw the learning curves or the diagnostics of one or many runs."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from velora_ros.errors import ConfigError
from velora_ros.pictures.read_runs import Run, grouped, read_diagnostics, read_run, read_table
from velora_ros.pictures.seed_statistics import NAMES, STATISTICS, overlap
from velora_ros.training.diagnostics import DIAGNOSTICS
from velora_ros.training.runs.paths import RunPaths

DEFAULT, DEFAULT_DIAGNOSTICS = 'learning_curves.png', 'diagnostics.png'


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``plot`` to the parser."""
    parser = commands.add_parser(
        'plot',
        help='draw learning curves',
        description=__doc__,
        epilog='Runs with the same label are drawn as one group: a line for the statistic over seeds, with its 95 %% '
        'bootstrap interval. The label of a run folder is its name without -seedS; the label of a table is its task.',
    )
    parser.add_argument(
        'runs', metavar='RUN', nargs='+',
        help='a run folder, a folder of them, or a CSV like those in benchmarks/results; LABEL=RUN sets the label',
    )  # fmt: skip
    parser.add_argument(
        '--out', metavar='FILE',
        help=f'.png or .svg (default: {DEFAULT}, or {DEFAULT_DIAGNOSTICS} with --diagnostics)',
    )  # fmt: skip
    parser.add_argument(
        '--diagnostics', action='store_true',
        help='draw the diagnostics of learning instead, one panel each; RUN must be a run folder or a folder of them',
    )  # fmt: skip
    parser.add_argument('--x', choices=('steps', 'time'), default='steps', help='the x axis (default: steps)')
    parser.add_argument(
        '--statistic', choices=tuple(STATISTICS), default='iqm',
        help='statistic over the runs of a label: interquartile mean, median or mean (default: iqm)',
    )  # fmt: skip
    parser.add_argument('--solved', metavar='RETURN', type=float, help='draw a line at this return')
    parser.add_argument('--title', metavar='TEXT', default='', help='title of the picture')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Draw the picture, and print the last return of each group.

    Raises:
        VeloraError: there is nothing to draw, a file is damaged, matplotlib is missing, or the picture cannot be
            written.
    """
    from velora_ros.pictures.draw_learning_curves import draw_learning  # noqa: PLC0415 - matplotlib, where a picture is wanted
    from velora_ros.pictures.style import picture_path, save  # noqa: PLC0415

    if arguments.diagnostics:
        _draw_diagnostics(arguments)
        return
    out = picture_path(arguments.out or DEFAULT, '--out')
    runs = [one for text in arguments.runs for one in read(text)]
    figure = draw_learning(
        runs, axis=arguments.x, statistic=arguments.statistic, solved=arguments.solved, name=arguments.title
    )
    save(figure, out)
    print(
        '\n'.join(
            [*_summary(runs), *_groups_without_statistic(runs, arguments.x, arguments.statistic), f'picture: {out}']
        )
    )


def _draw_diagnostics(arguments: argparse.Namespace) -> None:
    from velora_ros.pictures.draw_diagnostics import draw_diagnostics  # noqa: PLC0415 - as in run
    from velora_ros.pictures.style import picture_path, save  # noqa: PLC0415

    out = picture_path(arguments.out or DEFAULT_DIAGNOSTICS, '--out')
    tables = []
    for text in arguments.runs:
        label, path = _split(text)
        folders = [one for one in (path, *sorted(path.glob('*'))) if RunPaths(one).diagnostics.is_file()] or [path]
        tables += [read_diagnostics(RunPaths(one).diagnostics, label or _label_of(one)) for one in folders]
    units = {one.name: one.unit for one in DIAGNOSTICS}
    save(draw_diagnostics(tables, units, axis=arguments.x, name=arguments.title), out)
    print(f'{len(tables)} run{"s" if len(tables) > 1 else ""}; docs/training.md explains them\npicture: {out}')


def read(text: str) -> list[Run]:
    """
    Return the runs that one argument names.

    Raises:
        ConfigError: the argument names no run; the message says what was found instead.
    """
    label, path = _split(text)
    if path.is_file():
        return read_table(path, label)
    if not path.is_dir():
        raise ConfigError(
            f"'{text}' does not exist; give a run folder, for example runs/InvertedPendulum-v5-seed0, or a CSV."
        )
    folders = [folder for folder in (path, *sorted(path.iterdir())) if _is_run(folder)]
    if not folders:
        raise ConfigError(
            f"'{path}' is not a run folder and contains none: a run folder has a file evaluations.csv or episodes.csv. "
            "Give the folder that 'velora_ros train' printed."
        )
    runs = [_run_of(folder, label) for folder in folders]
    if not (drawable := [one for one in runs if len(one.evaluations) or len(one.episodes)]):
        raise ConfigError(f"the run in '{folders[0]}' has no episode and no evaluation yet; wait for the first one.")
    return drawable


def _split(text: str) -> tuple[str, Path]:
    label, equals, rest = text.partition('=')
    return (label, Path(rest)) if equals and not Path(text).exists() else ('', Path(text))


def _is_run(folder: Path) -> bool:
    paths = RunPaths(folder)
    return paths.evaluations.is_file() or paths.episodes.is_file()


def _run_of(folder: Path, label: str) -> Run:
    paths = RunPaths(folder)
    return read_run(label or _label_of(folder), paths.evaluations, paths.episodes)


def _label_of(folder: Path) -> str:
    return re.sub(r'[-_]seed\d+(-\d+)?$', '', folder.resolve().name)


def _summary(runs: Sequence[Run]) -> list[str]:
    lines = []
    for label, members in grouped(runs).items():
        kind = 'evaluations' if any(len(one.evaluations) for one in members) else 'episodes'
        last = [curve.returns[-1] for one in members if len(curve := getattr(one, kind))]
        count = f'{len(members)} run{"s" if len(members) > 1 else ""}'
        what = 'evaluation' if kind == 'evaluations' else 'episode'
        lines.append(
            f'{label}: {count}, last {what} return median {np.median(last):.1f}, {min(last):.1f} to {max(last):.1f}'
        )
    return lines


def _groups_without_statistic(runs: Sequence[Run], axis: str, statistic: str) -> list[str]:
    """Return a line for each group that has no statistic over its seeds, with the reason."""
    lines = []
    for label, members in grouped(runs).items():
        for kind in ('evaluations', 'episodes'):
            curves = [curve for one in members if len(curve := getattr(one, kind))]
            if curves and not overlap(curves, axis):
                lines.append(
                    f'{label}: no {NAMES[statistic]} of the {kind}, because the {len(curves)} runs have no {axis} in '
                    'common; continue them, or draw them under separate labels'
                )
    return lines
