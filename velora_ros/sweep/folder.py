"""The folder of a sweep: its plan, a run folder for each trial, and tables of the results."""

import contextlib
import csv
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from velora_ros.errors import ConfigError, StorageError
from velora_ros.sweep.plan import Sweep, Trial
from velora_ros.sweep.results import FAILED, SettingResult, TrialResult, write_csv
from velora_ros.utils.atomic_files import atomic_write


class SweepFolder:
    """
    A sweep's folder.

    A trial is done when it is listed in ``trials.csv``, which is rewritten whenever a trial ends. Any other trial
    continues from the newest checkpoint in its run folder. Nothing else is needed to resume a sweep.

    Args:
        folder: its path; it need not exist.
        sweep: the plan.
    """

    def __init__(self, folder: str | os.PathLike[str], sweep: Sweep) -> None:
        self.path = Path(folder)
        self.sweep = sweep
        self.trials_table = self.path / 'trials.csv'
        """One row for each trial that has ended."""
        self.settings_table = self.path / 'settings.csv'
        """One row for each setting, with statistics over its seeds."""
        self.best = self.path / 'best.yaml'
        """The hyperparameters of the best setting, as ``velora_ros train --config`` takes them."""
        self.ray_files = self.path / '.ray'
        """Files of Ray, while it runs."""
        self.results: list[TrialResult] = []
        """The results of the trials that are done."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: str | os.PathLike[str], sweep: Sweep) -> 'Iterator[SweepFolder]':
        """
        Start a sweep in a folder, which is created if it is missing, and lock the folder for the ``with`` block.

        Raises:
            StorageError: the folder cannot be written, is in use, or already holds a sweep.
        """
        if plan_of(folder).exists():
            raise StorageError(
                f"the folder '{folder}' already holds a sweep, which is not overwritten; resume it "
                f'(velora_ros sweep --resume {folder}), or choose another folder with --out.'
            )
        with _held(Path(folder)):
            sweep.save(plan_of(folder))
            own = cls(folder, sweep)
            try:
                yield own
            except BaseException:
                if not own._begun:  # for example without Ray; the same command can then be repeated
                    plan_of(folder).unlink()
                raise

    @classmethod
    @contextlib.contextmanager
    def resume(cls, folder: str | os.PathLike[str]) -> 'Iterator[SweepFolder]':
        """
        Resume the sweep in a folder, and lock the folder for the ``with`` block.

        Raises:
            ConfigError: there is no sweep in the folder, or its files are damaged.
            StorageError: the folder cannot be written, or is in use.
        """
        if not plan_of(folder).exists():
            raise ConfigError(
                f"there is no sweep in '{folder}': it has no {plan_of(folder).name}. Give the folder of a sweep."
            )
        with _held(Path(folder)):
            own = cls(folder, Sweep.load(plan_of(folder)))
            own._read()
            yield own

    @property
    def to_do(self) -> list[Trial]:
        """The trials that are not done, in their order."""
        done = {result.trial.name for result in self.results}
        return [trial for trial in self.sweep.trials() if trial.name not in done]

    def add(self, trial: Trial, status: str, message: str = '') -> TrialResult:
        """
        Record that a trial has ended.

        Raises:
            StorageError: the table cannot be written.
        """
        result = TrialResult.read(self.path, trial, status, message)
        self.results = [*(one for one in self.results if one.trial != trial), result]
        self._write()
        return result

    def finish(self, ranked: Sequence[SettingResult]) -> None:
        """
        Write the table of the settings, and the best setting if there is a result.

        Raises:
            StorageError: a file cannot be written.
        """
        write_csv(self.settings_table, [one.row() for one in ranked])
        if ranked[0].trials:
            best = ranked[0]
            values = self.sweep.hyperparameters(best.setting).__dict__.items()
            plain = {name: list(one) if isinstance(one, tuple) else one for name, one in values if name != 'n_episodes'}
            text = (
                f'# The best of the sweep: {best.label}, mean return {best.mean:.2f} over {len(best.trials)} trials.\n'
            )
            with atomic_write(self.best) as file:
                file.write((text + yaml.safe_dump(plain, sort_keys=False)).encode())

    def remove_ray_files(self) -> None:
        """Remove the files left by Ray."""
        shutil.rmtree(self.ray_files, ignore_errors=True)

    @property
    def _begun(self) -> bool:
        return any((self.path / trial.name).exists() for trial in self.sweep.trials())

    def _write(self) -> None:
        write_csv(self.trials_table, [one.row() for one in self.results])

    def _read(self) -> None:
        """Read which trials are done; failed trials are run again."""
        by_name = {trial.name: trial for trial in self.sweep.trials()}
        try:
            text = self.trials_table.read_text(encoding='utf-8') if self.trials_table.exists() else ''
            rows = [row for row in csv.DictReader(text.splitlines()) if row['status'] != FAILED]
            self.results = [
                TrialResult.read(self.path, by_name[row['trial']], row['status'], row['message']) for row in rows
            ]
        except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError(
                f"'{self.trials_table}' is damaged ({error}); restore it, or remove the file: finished trials are then "
                'found in their own folders.'
            ) from error


def plan_of(folder: str | os.PathLike[str]) -> Path:
    """Return the file in a sweep's folder that holds its plan."""
    return Path(folder) / 'sweep.yaml'


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Create the folder and lock it. The lock is released when the process ends, in any way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / '.lock', os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageError(
            f"the folder '{folder}' cannot be created or written ({error.strerror}). Choose a writable folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StorageError(
            f"the folder '{folder}' is in use by another sweep; wait until it ends, stop it, or choose another folder."
        ) from error
    finally:
        os.close(lock)
