"""The folder of a sweep: what was asked for, a run folder for each trial, and tables of what came of them."""

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

    A trial counts as done when it stands in ``trials.csv``, which is written whole each time one ends; one that does
    not goes on from the newest checkpoint in its run folder. Nothing else is needed to resume.

    Args:
        folder: need not exist.
        sweep: what is to be trained.
    """

    def __init__(self, folder: str | os.PathLike[str], sweep: Sweep) -> None:
        self.path = Path(folder)
        self.sweep = sweep
        self.trials_table = self.path / 'trials.csv'
        """One row for each trial that is over."""
        self.settings_table = self.path / 'settings.csv'
        """One row for each setting, over its seeds."""
        self.best = self.path / 'best.yaml'
        """The hyperparameters of the best setting, as ``velora_ros train --config`` takes them."""
        self.engine = self.path / '.ray'
        """Ray's own, as long as it runs."""
        self.results: list[TrialResult] = []
        """Of the trials that are done."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: str | os.PathLike[str], sweep: Sweep) -> 'Iterator[SweepFolder]':
        """
        Begin a sweep in a folder, which is made if it is missing, and hold it as long as the block lasts.

        Raises:
            StorageError: the folder cannot be written, is in use, or holds a sweep already.
        """
        if plan_of(folder).exists():
            raise StorageError(
                f"the folder '{folder}' holds a sweep already, which is not overwritten; go on with it "
                f'(velora_ros sweep --resume {folder}), or choose another folder with --out.'
            )
        with _held(Path(folder)):
            sweep.save(plan_of(folder))
            own = cls(folder, sweep)
            try:
                yield own
            except BaseException:
                if not own._begun:  # Ray is missing, say: the same command may be given again
                    plan_of(folder).unlink()
                raise

    @classmethod
    @contextlib.contextmanager
    def resume(cls, folder: str | os.PathLike[str]) -> 'Iterator[SweepFolder]':
        """
        Go on with the sweep in a folder, and hold it as long as the block lasts.

        Raises:
            ConfigError: there is no sweep, or its files are damaged.
            StorageError: the folder cannot be written, or is in use.
        """
        if not plan_of(folder).exists():
            raise ConfigError(f"there is no sweep in '{folder}': it has no {plan_of(folder).name}; start one there.")
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
        Note that a trial is over.

        Raises:
            StorageError: the table cannot be written.
        """
        result = TrialResult.read(self.path, trial, status, message)
        self.results = [*(one for one in self.results if one.trial != trial), result]
        self._write()
        return result

    def finish(self, ranked: Sequence[SettingResult]) -> None:
        """
        Write what came of the settings; without any result there is nothing to write.

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

    def remove_engine(self) -> None:
        """Remove what Ray has left."""
        shutil.rmtree(self.engine, ignore_errors=True)

    @property
    def _begun(self) -> bool:
        return any((self.path / trial.name).exists() for trial in self.sweep.trials())

    def _write(self) -> None:
        write_csv(self.trials_table, [one.row() for one in self.results])

    def _read(self) -> None:
        """Read which trials are done; failed ones are to be tried again."""
        by_name = {trial.name: trial for trial in self.sweep.trials()}
        try:
            text = self.trials_table.read_text(encoding='utf-8') if self.trials_table.exists() else ''
            rows = [row for row in csv.DictReader(text.splitlines()) if row['status'] != FAILED]
            self.results = [
                TrialResult.read(self.path, by_name[row['trial']], row['status'], row['message']) for row in rows
            ]
        except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError(
                f"'{self.trials_table}' cannot be used ({error}); put back what the sweep wrote, or remove the file: "
                'finished trials are then found done in their own folders.'
            ) from error


def plan_of(folder: str | os.PathLike[str]) -> Path:
    """Return the file in a sweep's folder that says what is to be trained."""
    return Path(folder) / 'sweep.yaml'


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Make the folder and lock it; the lock goes with the process, however that ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / '.lock', os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageError(
            f"the folder '{folder}' cannot be made or written ({error.strerror}). Choose a writable place."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StorageError(
            f"the folder '{folder}' is in use by another sweep; wait for its end, stop it, or choose another folder."
        ) from error
    finally:
        os.close(lock)
