"""The folder of a run, locked by one process: started once, resumed any number of times, never overwritten."""

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
from velora_ros.gym.make_env import same_id
from velora_ros.policy.file_kinds import why_no_run
from velora_ros.training.runs.config import MAY_CHANGE, RunConfig
from velora_ros.training.runs.paths import RunPaths, following_folder


class TakenError(StorageError):
    """A folder already holds a run, or another process is about to start one there."""


class RunFolder(RunPaths):
    """
    The folder of a run, locked until it is closed; the lock is released when the process ends in any way.

    Use :meth:`start` or :meth:`resume` to create one. ``LiquidDDPG.train(run_dir=...)`` accepts a RunFolder or a path.
    """

    started_with: RunConfig
    resumed: bool

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(folder)
        self._lock: int | None = None
        self._closing = contextlib.ExitStack()
        self.checkpoint_wanted = False
        """Set this, from any thread, to get a checkpoint at the end of the current episode."""
        self.on_checkpoint: Callable[[Path], None] = lambda _: None
        """Function that is called with the path of each checkpoint after it is written; assign your own."""

    @classmethod
    def start(cls, folder: str | os.PathLike[str], config: RunConfig) -> Self:
        """
        Start a run in a folder, which is created if it is missing.

        Raises:
            StorageError: the folder cannot be written, already holds a run, or is in use by another process.
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
        Start a run in a free folder.

        Args:
            folder: returns a folder without a run; another training run may take it at the same time.
            config: see :meth:`start`.

        Raises:
            StorageError: the folder cannot be written.
        """
        tried: set[Path] = set()
        while True:
            place = folder()
            while place in tried:  # taken by a run that has not yet written its configuration
                place = following_folder(place)
            try:
                return cls.start(place, config)
            except TakenError:
                tried.add(place)

    @classmethod
    def resume(cls, folder: str | os.PathLike[str]) -> Self:
        """
        Resume the run in a folder.

        Raises:
            ConfigError: there is no run, or its configuration cannot be used.
            StorageError: the folder cannot be written, or is in use by another process.
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
            run._delete_temporary()
        return run

    def change(self, **values: Any) -> None:
        """
        Change values of the configuration that may change when a run is resumed, such as its budget.

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
        Check that the folder holds no run.

        Raises:
            StorageError: the folder holds a run.
        """
        if self.holds_run:
            raise TakenError(
                f"the folder '{self.folder}' already holds a run, which is not overwritten; resume it "
                f'({self.how_to_resume}), or choose another folder.'
            )

    @property
    def how_to_resume(self) -> str:
        """The command that resumes the run."""
        return f'velora_ros train --resume {shlex.quote(str(self.folder))}'

    def when_closed(self, action: Callable[[], object]) -> None:
        """Register a function to call when the folder is closed, no matter how the run ended."""
        self._closing.callback(action)

    def close(self) -> None:
        """Call the functions of :meth:`when_closed`, and release the folder's lock."""
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
            self.config.unlink(missing_ok=True)  # the run failed before it began, so the folder can be used again
        self.close()

    @contextlib.contextmanager
    def _taken(self, *, make: bool) -> Iterator[None]:
        """Lock the folder; it stays locked unless the block fails."""
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
                f"the folder '{self.folder}' is in use by another training run; wait until it ends, stop it, or choose "
                'another folder.'
            ) from None
        except OSError as error:
            self.close()
            raise StorageError(
                f"the folder '{self.folder}' cannot be created or written ({error.strerror}). Choose a writable folder."
            ) from error
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _delete_temporary(self) -> None:
        """Delete the temporary files of a process that was killed while writing; no other process writes here now."""
        for folder in (self.folder, self.checkpoints, self.policies):
            for path in folder.glob('.*.tmp'):
                with contextlib.suppress(OSError):
                    Path(path).unlink()


RunDir = str | os.PathLike[str] | RunFolder


@contextlib.contextmanager
def opened(run_dir: RunDir | None, config: RunConfig, *, resume: bool, seed: int | None) -> Iterator[RunFolder | None]:
    """
    Open the folder of a run for a ``with`` block; a folder that is already open is not closed afterwards.

    Args:
        run_dir: the folder; None: no folder.
        config: the configuration that the run is started or resumed with.
        resume: whether to resume the run in the folder.
        seed: the seed given by the caller; None: a resumed run keeps its own.

    Raises:
        ConfigError: there is nothing to resume, or its configuration differs.
        StorageError: the folder cannot be written, is in use, or already holds a run.
    """
    if resume and run_dir is None:
        raise ConfigError('resume is True without run_dir; name the folder of the run.')
    if run_dir is None or isinstance(run_dir, RunFolder):
        yield run_dir
    elif not resume:
        with RunFolder.start(run_dir, config) as run:
            yield run
    else:
        with RunFolder.resume(run_dir) as run:
            given = {**dataclasses.asdict(config), **dataclasses.asdict(config.hyperparameters)}
            kept = {'seed': seed} if seed is not None else {}
            skipped = {'seed', 'flags', 'hyperparameters', 'env_kwargs', 'env_args', 'start_from'}  # see resume.py
            if same_id(config.env, run.started_with.env):
                skipped.add('env')
            run.started_with.refuse_differences(
                {name: value for name, value in given.items() if name not in skipped} | kept, run.folder
            )
            run.change(**{name: given[name] for name in MAY_CHANGE})
            yield run
