"""``velora_ros sweep FILE``: train many settings with many seeds in parallel, on this machine or a Ray cluster."""

import argparse
import json
import math
import shlex
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from velora_ros.cli.arguments import whole_number
from velora_ros.cli.stop_on_signals import stop_on_signals
from velora_ros.errors import ConfigError, VeloraError
from velora_ros.sweep.folder import SweepFolder
from velora_ros.sweep.plan import Sweep, Trial
from velora_ros.sweep.ray_session import ray_session
from velora_ros.sweep.results import FAILED, STOPPED, SettingResult, TrialResult, rank, table
from velora_ros.utils.output import write_line


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``sweep`` to the parser."""
    parser = commands.add_parser(
        'sweep',
        help='train many settings with many seeds',
        description=__doc__,
        epilog='docs/sweep.md explains the file; config/sweep has examples. Ctrl-C stops the sweep; --resume runs the '
        'remaining trials.',
    )
    begin = parser.add_mutually_exclusive_group(required=True)
    begin.add_argument('file', metavar='FILE', nargs='?', help='YAML with environment, steps, seeds and settings')
    begin.add_argument('--resume', metavar='DIR', help='resume the sweep in this folder')
    parser.add_argument(
        '--out', metavar='DIR', help="folder for the run folders (default: runs/NAME, with the file's name)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--cpus', metavar='N', type=whole_number(1), help='cores of this machine to use (default: all)')
    where.add_argument(
        '--address',
        metavar='HOST:PORT',
        help="address of a Ray cluster, or 'auto'; all its machines must see the folder",
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='check everything and list the trials, but train nothing'
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Run the sweep and print the best setting.

    Raises:
        VeloraError: the file or the folder is not valid, Ray cannot be used, or trials failed.
    """
    if arguments.dry_run:
        _list(_sweep_of(arguments))
        return
    with _opened(arguments) as folder:
        if folder.to_do:
            _train(folder, arguments)
        _report(folder)


def _sweep_of(arguments: argparse.Namespace) -> Sweep:
    if arguments.resume:
        with SweepFolder.resume(arguments.resume) as folder:
            return folder.sweep
    return Sweep.load(arguments.file)


def _opened(arguments: argparse.Namespace) -> AbstractContextManager[SweepFolder]:
    if arguments.resume:
        if arguments.out:
            raise ConfigError('--resume already names the folder of the sweep; omit --out.')
        return SweepFolder.resume(arguments.resume)
    folder = arguments.out or Path('runs') / Path(arguments.file).stem
    return SweepFolder.start(folder, Sweep.load(arguments.file))


def _train(folder: SweepFolder, arguments: argparse.Namespace) -> None:
    write_line(f'{_size(folder.sweep)}; {len(folder.to_do)} remaining, in {folder.path}')
    with ray_session(arguments.address, arguments.cpus), stop_on_signals() as stop:
        from velora_ros.sweep.ray_tune import run_trials  # noqa: PLC0415 - Ray, which has just been set up

        with _Progress(folder) as progress:
            run_trials(
                folder, wants_stop=lambda: bool(stop.reason), on_progress=progress.on_progress, on_end=progress.on_end
            )
    if stop.reason and folder.to_do:
        write_line(f'{stop.reason}; {_to_resume(folder)}')


class _Progress:
    """A progress bar over the steps of all trials, on a terminal, and a line for each trial that has ended."""

    def __init__(self, folder: SweepFolder) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - the other commands do without

        self._folder, self._total = folder, len(folder.sweep.trials())
        self._steps: dict[str, int] = {}
        steps = folder.sweep.steps
        self._bar: tqdm[Any] = tqdm(
            total=self._total * steps,
            initial=(self._total - len(folder.to_do)) * steps,
            unit=' steps',
            disable=sys.stderr is None or not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def __enter__(self) -> '_Progress':
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def on_progress(self, trial: Trial, steps: int) -> None:
        """Advance the bar to a trial's steps so far."""
        self._bar.update(steps - self._steps.get(trial.name, 0))
        self._steps[trial.name] = steps

    def on_end(self, result: TrialResult) -> None:
        """Print how a trial ended."""
        self.on_progress(result.trial, self._folder.sweep.steps)
        with self._bar.external_write_mode(file=sys.stdout):
            write_line(f'[{len(self._folder.results)}/{self._total}] {_line(result)}')


def _line(result: TrialResult) -> str:
    if result.status == FAILED:
        return f'{result.trial.name}: failed: {result.message}'
    early = f', stopped early after {result.steps} steps' if result.status == STOPPED else ''
    warned = f' (warning: {result.message})' if result.message else ''
    shown = 'no evaluation' if math.isnan(result.last) else f'return {result.last:.2f}, best {result.best:.2f}'
    return f'{result.trial.name}: {shown}{early}, {result.seconds:.0f} s{warned}'


def _report(folder: SweepFolder) -> None:
    """Write and print the tables. Failed trials are an error; an incomplete sweep is not."""
    ranked = rank(folder.sweep, folder.results)
    folder.finish(ranked)
    done = [one for one in ranked if one.trials]
    if done:
        print('\n'.join(['', f'mean of the {folder.sweep.rank_by} evaluation over seeds:', *table(ranked), '']))
        print('\n'.join(_next_steps(folder, done[0])), flush=True)
    failed = [one for one in folder.results if one.status == FAILED]
    if failed:
        raise VeloraError(
            f'{len(failed)} of {len(folder.sweep.trials())} trials failed; {failed[0].trial.name}: '
            f'{failed[0].message} Correct the cause, then {_to_resume(folder)}'
        )


def _next_steps(folder: SweepFolder, best: SettingResult) -> list[str]:
    sweep, path = folder.sweep, shlex.quote(str(folder.path))
    top = max(best.trials, key=lambda one: one.best)
    keywords = [f' --env-arg {shlex.quote(f"{name}={json.dumps(value)}")}' for name, value in sweep.env_args.items()]
    keywords += [] if sweep.control_period is None else [f' --control-period {sweep.control_period:g}']
    train = f'velora_ros train --env {shlex.quote(sweep.env)}{"".join(keywords)} --steps {sweep.steps}'
    train += f' --config {path}/{folder.best.name}'
    return [
        f'best setting: {best.label}',
        f'its best policy: {folder.path / top.trial.name}/policies/best.safetensors',
        f'train it again: {train} --seed {max(sweep.seeds) + 1}',
        f'draw the curves: velora_ros plot {path}',
        f'tables: {folder.settings_table}, {folder.trials_table}',
    ]


def _to_resume(folder: SweepFolder) -> str:
    return f'resume with: velora_ros sweep --resume {shlex.quote(str(folder.path))}'


def _list(sweep: Sweep) -> None:
    print(_size(sweep))
    print('\n'.join(f'  {trial.name}' for trial in sweep.trials()))


def _size(sweep: Sweep) -> str:
    settings, seeds = len(sweep.settings), len(sweep.seeds)
    return (
        f'{settings * seeds} trials of {sweep.env}: {settings} setting{"s" * (settings > 1)} x {seeds} '
        f'seed{"s" * (seeds > 1)}, {sweep.steps} steps each'
    )
