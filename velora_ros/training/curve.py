"""The learning curve of a run, as two CSV files and a picture."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from velora_ros.errors import StorageError
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, TrainResult
from velora_ros.utils import atomic_write

EPISODES = 'episodes.csv'
EVALUATIONS = 'evaluations.csv'
PICTURE = 'learning_curve.png'


class LearningCurve(Callback):
    """
    Write ``episodes.csv`` and ``evaluations.csv`` as training goes on, and ``learning_curve.png`` at its end.

    Args:
        folder: made if it is missing; files of an earlier run in it are replaced.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"the folder '{folder}' cannot be made: {error.strerror}. Choose a writable place."
            ) from error
        self._rows = {
            EPISODES: [['episode', 'steps', 'return', 'length', 'critic_loss', 'actor_loss', 'steps_per_s', 'seconds']],
            EVALUATIONS: [['steps', 'episode', 'seconds', 'mean', 'std', 'min', 'max', 'episodes']],
        }
        for name in self._rows:
            self._start(name)

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Append the episode."""
        self._append(
            EPISODES,
            [
                record.episode, record.steps, record.episode_return, record.length,
                record.critic_loss, record.actor_loss, round(record.steps_per_s, 1), round(record.seconds, 3),
            ],
        )  # fmt: skip

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Append the evaluation."""
        result = record.result
        spread = [result.mean, result.std, min(result.returns), max(result.returns), len(result.returns)]
        self._append(EVALUATIONS, [record.steps, record.episode, round(record.seconds, 3), *spread])

    def on_train_end(self, result: TrainResult) -> None:
        """Draw the picture."""
        with atomic_write(self.folder / PICTURE) as file:
            draw_curve(file, result.episodes, result.evaluations)

    def _start(self, name: str) -> None:
        with atomic_write(self.folder / name) as file:
            file.write((','.join(self._rows[name][0]) + '\n').encode())

    def _append(self, name: str, row: Sequence[Any]) -> None:
        try:
            with (self.folder / name).open('a', newline='', encoding='utf-8') as file:
                csv.writer(file).writerow(row)
        except OSError as error:
            raise StorageError(
                f"'{self.folder / name}' cannot be written: {error.strerror}. Free some space; earlier rows are kept."
            ) from error


def draw_curve(file: Any, episodes: Sequence[EpisodeRecord], evaluations: Sequence[EvaluationRecord]) -> None:
    """
    Draw training returns (dots) and deterministic evaluations (line, with one standard deviation) over steps.

    Args:
        file: binary, gets a PNG.
        episodes: may be empty.
        evaluations: may be empty.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, only where a picture is drawn

    figure = Figure(figsize=(8, 4.5), layout='constrained')
    axes = figure.add_subplot()
    steps, returns = [one.steps for one in episodes], [one.episode_return for one in episodes]
    axes.plot(steps, returns, '.', ms=3, alpha=0.35, label='training')
    if evaluations:
        steps = [one.steps for one in evaluations]
        means = [one.result.mean for one in evaluations]
        stds = [one.result.std for one in evaluations]
        axes.plot(steps, means, '-', lw=1.8, label='evaluation (deterministic)')
        low = [mean - std for mean, std in zip(means, stds, strict=True)]
        high = [mean + std for mean, std in zip(means, stds, strict=True)]
        axes.fill_between(steps, low, high, alpha=0.2)
    axes.set_xlabel('environment steps')
    axes.set_ylabel('return')
    axes.grid(alpha=0.3)
    if episodes or evaluations:
        axes.legend()
    figure.savefig(file, format='png', dpi=120)
