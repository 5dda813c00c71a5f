"""The tables of a run (episodes, evaluations, diagnostics, reward terms) and the picture of its learning curve."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from velora_ros.errors import StorageError
from velora_ros.pictures.read_runs import Curve, Run
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.diagnostics import NAMES, DiagnosticsRecord
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult
from velora_ros.training.runs.paths import RunPaths
from velora_ros.utils.atomic_files import atomic_write

EPISODE_COLUMNS = ('episode', 'steps', 'return', 'length', 'critic_loss', 'actor_loss', 'steps_per_s', 'seconds')
EVALUATION_COLUMNS = ('steps', 'episode', 'seconds', 'mean', 'std', 'min', 'max', 'episodes')
TERMS_COLUMNS = ('steps', 'episode', 'seconds')
DIAGNOSTICS_COLUMNS = ('steps', 'episode', 'seconds', *NAMES)


class LearningCurve(Callback):
    """
    Writes ``episodes.csv``, ``evaluations.csv`` and ``diagnostics.csv`` during training, and a picture at its end.

    If the environment reports the terms of its reward, as tasks do, they are written to ``reward_terms.csv``.

    A resumed run rewrites the tables from its checkpoint, so that no row is in them twice.

    Args:
        paths: the files of the run.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._terms: tuple[str, ...] = ()

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Write empty tables."""
        self._begin(RunState())

    def on_resume(self, state: RunState) -> None:
        """Rewrite the tables as of the checkpoint."""
        self._begin(state)

    def on_diagnostics(self, record: DiagnosticsRecord) -> None:
        """Append the diagnostics to their table, and the reward terms, if there are any, to theirs."""
        _append(self._paths.diagnostics, _diagnostics_row(record))
        if record.terms and not self._terms:
            self._begin_terms([record])
        elif record.terms:
            _append(self._paths.reward_terms, self._terms_row(record))

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Append the episode to its table."""
        _append(self._paths.episodes, _episode_row(record))

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Append the evaluation to its table."""
        _append(self._paths.evaluations, _evaluation_row(record))

    def on_train_end(self, result: TrainResult) -> None:
        """Draw the learning curve."""
        if result.episodes or result.evaluations:
            draw_curve(self._paths.picture, result, self._paths.folder.resolve().name)

    def _begin(self, state: RunState) -> None:
        paths, result = self._paths, state.result
        _write(paths.episodes, [EPISODE_COLUMNS, *map(_episode_row, result.episodes)])
        _write(paths.evaluations, [EVALUATION_COLUMNS, *map(_evaluation_row, result.evaluations)])
        _write(paths.diagnostics, [DIAGNOSTICS_COLUMNS, *map(_diagnostics_row, result.diagnostics)])
        paths.reward_terms.unlink(missing_ok=True)
        self._begin_terms([record for record in result.diagnostics if record.terms])

    def _begin_terms(self, records: Sequence[DiagnosticsRecord]) -> None:
        """Write the table of the reward's terms, unless there are none."""
        self._terms = tuple(dict.fromkeys(name for record in records for name in record.terms))
        if records:
            _write(self._paths.reward_terms, [(*TERMS_COLUMNS, *self._terms), *map(self._terms_row, records)])

    def _terms_row(self, record: DiagnosticsRecord) -> Sequence[Any]:
        values = (record.terms.get(name, '') for name in self._terms)
        return [record.steps, record.episode, round(record.seconds, 3), *values]


def _episode_row(record: EpisodeRecord) -> Sequence[Any]:
    return [
        record.episode, record.steps, record.episode_return, record.length,
        record.critic_loss, record.actor_loss, round(record.steps_per_s, 1), round(record.seconds, 3),
    ]  # fmt: skip


def _evaluation_row(record: EvaluationRecord) -> Sequence[Any]:
    result = record.result
    spread = [result.mean, result.std, min(result.returns), max(result.returns), len(result.returns)]
    return [record.steps, record.episode, round(record.seconds, 3), *spread]


def _diagnostics_row(record: DiagnosticsRecord) -> Sequence[Any]:
    return [record.steps, record.episode, round(record.seconds, 3), *(record.values[name] for name in NAMES)]


def _write(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with atomic_write(path) as file:
        file.write(_text(rows).encode())


def _append(path: Path, row: Sequence[Any]) -> None:
    try:
        with path.open('a', newline='', encoding='utf-8') as file:
            file.write(_text([row]))
    except OSError as error:
        raise StorageError(
            f"'{path}' cannot be written: {error.strerror}. Free some space; earlier rows are kept."
        ) from error


def _text(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue()


def draw_curve(path: Path, result: TrainResult, name: str = '') -> None:
    """
    Draw the returns of evaluations and of training episodes over steps.

    Args:
        path: ``.png`` or ``.svg``.
        result: result with at least one record.
        name: title of the picture.
    """
    from velora_ros.pictures.draw_learning_curves import draw_learning  # noqa: PLC0415 - matplotlib, only where a picture is drawn
    from velora_ros.pictures.style import save  # noqa: PLC0415

    evaluations = Curve.of((one.steps, one.seconds, one.result.mean) for one in result.evaluations)
    episodes = Curve.of((one.steps, one.seconds, one.episode_return) for one in result.episodes)
    save(draw_learning([Run('', evaluations, episodes)], name=name), path)
