"""Reports events from the training process to trainer_node, and announces better policies."""

import contextlib
import dataclasses
import json
import math
from typing import IO, TYPE_CHECKING, Any

from velora_ros.nodes.trainer.cpu_share import lower_priority
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.diagnostics import DiagnosticsRecord
from velora_ros.training.evaluation_schedule import AS_GOOD
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState
from velora_ros.training.runs.paths import RunPaths
from velora_ros.utils.atomic_files import atomic_write

if TYPE_CHECKING:
    from velora_ros.models import LiquidDDPG


class EventWriter:
    """
    Writes events as lines of JSON.

    Args:
        output: a line-buffered text file.
    """

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def write(self, event: str, **values: Any) -> None:
        """
        Write an event with its values.

        Raises:
            BrokenPipeError: the node has ended.
        """
        self._output.write(json.dumps({'event': event, **values}) + '\n')


class EventReporter(Callback):
    """
    Reports episodes, diagnostics and evaluations, and announces each policy that is better than all earlier ones.

    A policy whose mean return is more than a thousandth below that of an announced policy is not announced, and does
    not replace the file of the announced policy. This also applies to a resumed run whose newest checkpoint is older
    than the announced policy.

    Args:
        events: writes the events.
        model: the agent that is trained.
        run: the run's folder.
        rival: mean return that a policy must surpass to be announced.
        announced: mean return of the best policy that an earlier process of this run announced; None if there is none.
        announce_untrained: whether to announce the untrained policy too.
        niceness: added to the niceness of the process after the untrained policy is announced; before that, a robot
            may be waiting for this policy.
    """

    def __init__(
        self,
        events: EventWriter,
        model: 'LiquidDDPG',
        run: RunPaths,
        *,
        rival: float,
        announced: float | None = None,
        announce_untrained: bool,
        niceness: int,
    ) -> None:
        self._events, self._model, self._run = events, model, run
        self._rival, self._announce_untrained, self._niceness = rival, announce_untrained, niceness
        self._announced = -math.inf if announced is None else announced
        self._announced_file: bytes | None = None
        if announced is not None:
            with contextlib.suppress(OSError):
                self._announced_file = run.best_policy.read_bytes()

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Announce the untrained policy, if this was requested."""
        if self._announce_untrained:
            path = self._run.policies / 'untrained.safetensors'
            self._model.agent.policy_file().save(path)
            self._events.write('policy', what='the untrained policy', policy=str(path))
            lower_priority(self._niceness)

    def on_resume(self, state: RunState) -> None:
        """Keep the announced policy if it is better than the best one in the checkpoint."""
        best = state.result.best_evaluation
        if best is None or best.result.mean < self._least:
            self._restore_announced_file()
        else:
            self._announced_file = None

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Report the episode."""
        self._events.write('episode', **dataclasses.asdict(record))

    def on_diagnostics(self, record: DiagnosticsRecord) -> None:
        """Report the diagnostics that were measured."""
        measured = {name: value for name, value in record.values.items() if math.isfinite(value)}
        self._events.write('diagnostics', **measured)

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Report the evaluation, and announce the policy if it is the best so far."""
        mean = record.result.mean
        if is_best and mean < self._least:
            is_best = False
            self._restore_announced_file()
        elif is_best:
            self._announced_file = None
        announced = {'policy': str(self._run.best_policy)} if is_best and mean > self._rival else {}
        self._events.write(
            'evaluation', steps=record.steps, mean=mean, std=record.result.std, best=is_best, **announced
        )

    @property
    def _least(self) -> float:
        """Lowest mean return that counts as equal to the mean return of the announced policy."""
        return self._announced - (AS_GOOD * abs(self._announced) if math.isfinite(self._announced) else 0.0)

    def _restore_announced_file(self) -> None:
        """Write the announced policy again after a worse one has replaced it."""
        if self._announced_file is not None:
            with atomic_write(self._run.best_policy) as file:
                file.write(self._announced_file)
