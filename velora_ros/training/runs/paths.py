"""The names of run folders and of the files in them; code that only reads them can import this module alone."""

import itertools
import os
import re
from pathlib import Path

CHECKPOINT_SUFFIX = '.safetensors'


class RunPaths:
    """
    The paths of a run's files.

    Args:
        folder: the folder of the run; it need not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.config = self.folder / 'config.yaml'
        """The configuration of the run at its start: environment, seed, budget, every hyperparameter."""
        self.provenance = self.folder / 'provenance.json'
        """The versions that the run used, one entry for each start."""
        self.episodes = self.folder / 'episodes.csv'
        self.evaluations = self.folder / 'evaluations.csv'
        self.diagnostics = self.folder / 'diagnostics.csv'
        self.reward_terms = self.folder / 'reward_terms.csv'
        """For a task: the mean of each reward term, and its metrics."""
        self.picture = self.folder / 'learning_curve.png'
        self.wiring = self.folder / 'wiring.png'
        self.hidden_state = self.folder / 'hidden_state.png'
        self.film = self.folder / 'best_policy.mp4'
        """The film of the best policy; a .gif if ffmpeg is not available."""
        self.events = self.folder / 'tensorboard'
        """The folder of TensorBoard's events."""
        self.checkpoints = self.folder / 'checkpoints'
        self.policies = self.folder / 'policies'
        self.best_policy = self.policies / 'best.safetensors'
        self.last_policy = self.policies / 'last.safetensors'
        self.lock = self.folder / '.lock'

    @property
    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.exists()


def checkpoint_files(run: RunPaths) -> list[Path]:
    """Return the checkpoints of a run, the newest first."""
    numbered = [path for path in run.checkpoints.glob(f'*{CHECKPOINT_SUFFIX}') if path.stem.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.stem), reverse=True)


def free_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder if it contains no run, otherwise the first of ``folder-2``, ``folder-3``, ... without a run."""
    first = Path(folder)
    names = itertools.chain([first], (first.with_name(f'{first.name}-{number}') for number in itertools.count(2)))
    return next(path for path in names if not RunPaths(path).holds_run)


def following_folder(folder: Path) -> Path:
    """Return the folder that follows in the order of :func:`free_folder`: ``folder-2``, ``folder-3``, ..."""
    name, dash, number = folder.name.rpartition('-')
    if dash and name and number.isdecimal():
        return folder.with_name(f'{name}-{int(number) + 1}')
    return folder.with_name(f'{folder.name}-2')


def default_folder(env: str, seed: int) -> Path:
    """Return a free folder below ``runs``, for a run without a given folder."""
    name = re.sub(r'[^\w.-]', '-', env)
    return free_folder(Path('runs') / f'{name}-seed{seed}')
