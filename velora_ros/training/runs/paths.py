"""Where things lie in a run's folder; enough for code that only reads."""

import itertools
import os
import re
from pathlib import Path


class RunPaths:
    """
    The names in a run's folder.

    Args:
        folder: the run's; it need not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.config = self.folder / 'config.yaml'
        """What the run was started with: environment, seed, budget, every hyperparameter."""
        self.provenance = self.folder / 'provenance.json'
        """The versions that it ran with, one entry for each start."""
        self.episodes = self.folder / 'episodes.csv'
        self.evaluations = self.folder / 'evaluations.csv'
        self.diagnostics = self.folder / 'diagnostics.csv'
        self.picture = self.folder / 'learning_curve.png'
        self.wiring = self.folder / 'wiring.png'
        self.hidden_state = self.folder / 'hidden_state.png'
        self.film = self.folder / 'best_policy.mp4'
        """Or .gif, where there is no ffmpeg."""
        self.events = self.folder / 'tensorboard'
        """TensorBoard's folder."""
        self.checkpoints = self.folder / 'checkpoints'
        self.policies = self.folder / 'policies'
        self.best_policy = self.policies / 'best.safetensors'
        self.last_policy = self.policies / 'last.safetensors'
        self.lock = self.folder / '.lock'

    @property
    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.exists()


def free_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder if no run is in it, else the first of ``folder-2``, ``folder-3``, ... without one."""
    first = Path(folder)
    names = itertools.chain([first], (first.with_name(f'{first.name}-{number}') for number in itertools.count(2)))
    return next(path for path in names if not RunPaths(path).holds_run)


def following_folder(folder: Path) -> Path:
    """Return the name after that of a folder, as :func:`free_folder` counts them: ``folder-2``, ``folder-3``."""
    name, dash, number = folder.name.rpartition('-')
    if dash and name and number.isdecimal():
        return folder.with_name(f'{name}-{int(number) + 1}')
    return folder.with_name(f'{folder.name}-2')


def default_folder(env: str, seed: int) -> Path:
    """Return a free folder below ``runs`` for a run that was given none."""
    name = re.sub(r'[^\w.-]', '-', env)
    return free_folder(Path('runs') / f'{name}-seed{seed}')
