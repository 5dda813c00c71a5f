"""The events of a run for TensorBoard: the numbers of its tables."""

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from velora_ros.errors import StorageError
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.diagnostics import DiagnosticsRecord
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import RunPaths

logger = logging.getLogger(__name__)

FLUSH_PERIOD_S = 5.0


def tensorboard_events(run: RunFolder) -> list[Callback]:
    """Return the callback that writes events; if tensorboardX is not installed, log this and return an empty list."""
    try:
        import tensorboardX  # noqa: PLC0415, F401 - takes half a second, only for training in a folder
    except ImportError:
        logger.warning(
            'no events for TensorBoard are written, because tensorboardX is not installed (pip install tensorboardX)'
        )
        return []
    events = TensorBoardEvents(run)
    run.when_closed(events.close)
    return [events]


class TensorBoardEvents(Callback):
    """
    Writes events over environment steps, with training time, so that TensorBoard's relative axis excludes breaks.

    A resumed run writes a new file from its checkpoint and deletes the old file, so that no event appears twice.

    Args:
        paths: the files of the run.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._folder = paths.events
        self._began = 0.0
        self._flushed = 0.0
        self._writer: Any = None

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Open a new file."""
        self._open(0.0)

    def on_resume(self, state: RunState) -> None:
        """Open a new file, and write the records up to the checkpoint."""
        self._open(state.seconds)
        for evaluation in state.result.evaluations:
            self._evaluation(evaluation)
        for diagnostics in state.result.diagnostics:
            self._diagnostics(diagnostics)
        for episode in state.result.episodes:
            self._episode(episode)

    def on_diagnostics(self, record: DiagnosticsRecord) -> None:
        """Write the diagnostics."""
        self._diagnostics(record)

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Write the episode."""
        self._episode(record)
        if time.time() - self._flushed >= FLUSH_PERIOD_S:
            self._flush()

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Write the evaluation."""
        self._evaluation(record)

    def on_train_end(self, result: TrainResult) -> None:
        """Write all pending events to the file."""
        self._flush()

    def close(self) -> None:
        """Close the file if it is open; a full disk is not reported again."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._writer = None

    def _open(self, seconds: float) -> None:
        from tensorboardX.event_file_writer import EventsWriter  # noqa: PLC0415 - as above

        self.close()
        self._began = time.time() - seconds
        old = sorted(self._folder.glob('events.*.out.tfevents.*'))
        number = int(old[-1].name.split('.')[1]) + 1 if old else 1
        prefix = str(self._folder / f'events.{number:04d}')  # for TensorBoard the later name is the newer
        self._writer = self._guarded(lambda: EventsWriter(prefix))
        for path in old:
            path.unlink(missing_ok=True)

    def _episode(self, record: EpisodeRecord) -> None:
        values = {
            'episode/return': record.episode_return,
            'episode/length': float(record.length),
            'loss/critic': record.critic_loss,
            'loss/actor': record.actor_loss,
            'speed/steps_per_s': record.steps_per_s,
        }
        self._write(values, record.steps, record.seconds)

    def _diagnostics(self, record: DiagnosticsRecord) -> None:
        values = {**{f'diagnostics/{name}': value for name, value in record.values.items()}, **record.terms}
        self._write(values, record.steps, record.seconds)

    def _evaluation(self, record: EvaluationRecord) -> None:
        result = record.result
        values = {
            'evaluation/mean': result.mean,
            'evaluation/std': result.std,
            'evaluation/min': min(result.returns),
            'evaluation/max': max(result.returns),
        }
        self._write(values, record.steps, record.seconds)

    def _write(self, values: dict[str, float], steps: int, seconds: float) -> None:
        from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415 - as above
        from tensorboardX.proto.summary_pb2 import Summary  # noqa: PLC0415

        known = {tag: value for tag, value in values.items() if value == value}  # noqa: PLR0124 - not NaN
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in known.items()])
        self._guarded(
            lambda: self._writer.write_event(Event(wall_time=self._began + seconds, step=steps, summary=summary))
        )

    def _flush(self) -> None:
        self._flushed = time.time()
        self._guarded(self._writer.flush)

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as error:
            raise StorageError(
                f"the events in '{self._folder}' cannot be written: {error.strerror}. Free some space."
            ) from error
