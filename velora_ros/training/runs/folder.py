"""The folder of one run, held by one process: started once, resumed as often as need be, never overwritten."""

import contextlib
import dataclasses
import fcntl
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from velora_ros.errors import ConfigError, StorageError
from velora_ros.policy.file_kinds import why_no_run
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.paths import RunPaths, following_folder


class TakenError(StorageError):
    """A folder holds a run already, or another process is about to begin one there."""


class RunFolder(RunPaths):
    """
    A run's folder, locked until it is closed; the lock goes with the process, however that ends.

    Made by :meth:`start` or :meth:`resume`; ``LiquidDDPG.train(run_dir=...)`` takes one, or makes one from a path.
    """

    started_with: RunConfig
    resumed: bool

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(folder)
        self._lock: int | None = None
        self._closing = contextlib.ExitStack()
        self.checkpoint_wanted = False
        """Set it, from any thread, for a checkpoint at the end of the running episode."""
        self.on_checkpoint: Callable[[Path], None] = lambda _: None
        """Called with the path of each checkpoint that was written; replace it."""

    @classmethod
    def start(cls, folder: str | os.PathLike[str], config: RunConfig) -> Self:
        """
        Begin a run in a folder, which is made if it is missing.

        Raises:
            StorageError: the folder cannot be written, holds a run already, or another process has it.
        """
        run = cls(folder)
        with run._taken(make=True):
            run.refuse_second_run()
            config.save(run.config)
            run.started_with, run.resumed = config, False
        return run

    @classmethod
    def start_in_free(cls, folder: Callable[[], Path], config: RunConfig) -> Self:
        """
        Begin a run in a folder that nobody has.

        Args:
            folder: returns one in which there is no run; another training may take it at the same moment.
            config: as for :meth:`start`.

        Raises:
            StorageError: it cannot be written.
        """
        tried: set[Path] = set()
        while True:
            place = folder()
            while place in tried:  # taken, and its run has not been written down yet
                place = following_folder(place)
            try:
                return cls.start(place, config)
            except TakenError:
                tried.add(place)

    @classmethod
    def resume(cls, folder: str | os.PathLike[str]) -> Self:
        """
        Go on with the run in a folder.

        Raises:
            ConfigError: there is no run, or its configuration cannot be used.
            StorageError: the folder cannot be written, or another process has it.
        """
        run = cls(folder)
        if why := why_no_run(run.folder):
            raise ConfigError(why)
        if not run.holds_run:
            raise ConfigError(
                f"there is no run in '{folder}': it has no {run.config.name}; give the folder of a run, or start one "
                'there.'
            )
        with run._taken(make=False):
            run.started_with, run.resumed = RunConfig.load(run.config), True
            run._sweep()
        return run

    def change(self, **values: Any) -> None:
        """
        Write down what a resumed run has another value of: a budget, say.

        Raises:
            StorageError: the file cannot be written.
        """
        hyperparameters = self.started_with.hyperparameters
        own = {name: value for name, value in values.items() if hasattr(hyperparameters, name)}
        others = {name: value for name, value in values.items() if name not in own}
        changed = dataclasses.replace(
            self.started_with, **others, hyperparameters=dataclasses.replace(hyperparameters, **own)
        )
        if changed != self.started_with:
            changed.save(self.config)
            self.started_with = changed

    def refuse_second_run(self) -> None:
        """
        Check that no run is here.

        Raises:
            StorageError: there is one.
        """
        if self.holds_run:
            raise TakenError(
                f"the folder '{self.folder}' holds a run already, which is not overwritten; go on with it "
                f'({self.how_to_resume}), or choose another folder.'
            )

    @property
    def how_to_resume(self) -> str:
        """The command that goes on with the run."""
        return f'velora_ros train --resume {shlex.quote(str(self.folder))}'

    def when_closed(self, action: Callable[[], object]) -> None:
        """Have something called when the folder is let go of, whatever ended the run."""
        self._closing.callback(action)

    def close(self) -> None:
        """Let go of the folder."""
        self._closing.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self.resumed and not any(self.checkpoints.iterdir()):
            self.config.unlink(missing_ok=True)  # it failed before it began: the folder can be used again
        self.close()

    @contextlib.contextmanager
    def _taken(self, *, make: bool) -> Iterator[None]:
        """Lock the folder; it stays so unless the block fails."""
        try:
            if make:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # also against a second use in this process
            for path in (self.checkpoints, self.policies, self.events):
                path.mkdir(exist_ok=True)
        except BlockingIOError:
            self.close()
            raise TakenError(
                f"the folder '{self.folder}' is in use by another training; wait for its end, stop it, or choose "
                'another folder.'
            ) from None
        except OSError as error:
            self.close()
            raise StorageError(
                f"the folder '{self.folder}' cannot be made or written ({error.strerror}). Choose a writable place."
            ) from error
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _sweep(self) -> None:
        """Remove what a process that was killed while it wrote has left behind; nobody else writes here now."""
        for folder in (self.folder, self.checkpoints, self.policies):
            for path in folder.glob('.*.tmp'):
                with contextlib.suppress(OSError):
                    Path(path).unlink()
