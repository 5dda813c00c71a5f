"""
Hooks into the training loop; derive from :class:`Callback` and override what you need.

Ready to use: :class:`EarlyStopping`, :class:`KeepBest`, :class:`EvaluateIn`.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gymnasium

from velora_ros.errors import ConfigError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.diagnostics import DiagnosticsRecord
from velora_ros.training.evaluation import evaluate
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult


class StopTraining(Exception):  # noqa: N818 - a request, not an error
    """
    Raised by any callback to end training cleanly; the message becomes ``TrainResult.stopped``.

    Args:
        message: the reason, as text for the user.
        by: the reason in one word; it becomes ``TrainResult.stopped_by``.
    """

    def __init__(self, message: str = '', *, by: str = 'callback') -> None:
        super().__init__(message)
        self.by = by

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle ``by`` too."""
        return type(self), (str(self),), {'by': self.by}


class Callback:
    """Base class of callbacks. Every method is optional; training calls the methods in the order of this class."""

    model: Any = None
    """The agent in training, a ``LiquidDDPG``; it is set before ``on_train_start`` and None until then."""

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Called when training begins; the budget is in episodes, in steps, or both."""

    def on_resume(self, state: RunState) -> None:
        """Called when a run is resumed from ``state``; episodes after this state are run again."""

    def on_episode_start(self) -> Mapping[str, float]:
        """
        Return new values for hyperparameters, from this episode on; usually none.

        Only the hyperparameters in :data:`velora_ros.training.hyperparameters.LIVE` may change. Another name, or a
        value that :class:`velora_ros.training.TrainConfig` refuses, raises ConfigError.
        """
        return {}

    def on_step(self, steps: int) -> None:
        """Called after the ``steps``-th environment step of this call and the updates due after it."""

    def on_diagnostics(self, record: DiagnosticsRecord) -> None:
        """Called when learning diagnostics are recorded: every 1,000 steps and at the end."""

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Called after each episode."""

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Called after each evaluation; ``is_best``: no earlier policy of this call was better by more than 0.1 %."""

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """
        Called between episodes: before the first episode, and after each episode that was not cut off.

        ``last``: training is over. This is not called if training ends in the middle of an episode.
        """

    def on_train_end(self, result: TrainResult) -> None:
        """Called when training is over, for any reason except an error."""


def call_each(callbacks: Iterable[Callback], call: Callable[[Callback], None]) -> None:
    """
    Call every callback, even after one of them has ended training, so that all of them see the end.

    Raises:
        StopTraining: a callback raised it; if several did, the first.
    """
    stop: StopTraining | None = None
    for callback in callbacks:
        try:
            call(callback)
        except StopTraining as request:
            stop = stop or request
    if stop is not None:
        raise stop


class EarlyStopping(Callback):
    """
    Ends training when evaluations are good enough or no longer improve.

    A resumed run continues the counts.

    Args:
        threshold: mean return that is good enough; None: no threshold.
        in_a_row: number of consecutive evaluations at or above the threshold after which training ends; the default
            defines "solved" in this package's results.
        patience: number of evaluations without an improvement after which training ends; None: no limit.

    Raises:
        ConfigError: neither threshold nor patience is given, or a number is out of range.
    """

    def __init__(self, *, threshold: float | None = None, in_a_row: int = 3, patience: int | None = None) -> None:
        if threshold is None and patience is None:
            raise ConfigError('early stopping needs a threshold (a return), a patience (evaluations), or both.')
        if threshold is not None and not math.isfinite(threshold):
            raise ConfigError(f'threshold is {threshold}; it must be a finite return.')
        for name, count in (('in_a_row', in_a_row), ('patience', patience)):
            if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
                raise ConfigError(f'{name} is {count!r}; it must be a whole number of evaluations, at least 1.')
        self._threshold, self._in_a_row, self._patience = threshold, in_a_row, patience
        self._good = self._worse = 0
        self._best = -math.inf

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Reset the counts."""
        self._reset()

    def on_resume(self, state: RunState) -> None:
        """Count the evaluations before the interruption."""
        self._reset()
        for record in state.result.evaluations:
            self._count(record.result.mean)

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Count the evaluation, and stop if the condition is met."""
        self._count(record.result.mean)
        if self._threshold is not None and self._good >= self._in_a_row:
            raise StopTraining(
                f'{self._in_a_row} evaluations in a row at or above {self._threshold:g}, after {record.steps} steps',
                by='solved',
            )
        if self._patience is not None and self._worse >= self._patience:
            raise StopTraining(f'no better than {self._best:.1f} for {self._worse} evaluations', by='patience')

    def _count(self, mean: float) -> None:
        self._good = self._good + 1 if self._threshold is not None and mean >= self._threshold else 0
        self._worse = 0 if mean > self._best else self._worse + 1
        self._best = max(self._best, mean)

    def _reset(self) -> None:
        self._good = self._worse = 0
        self._best = -math.inf


class KeepBest(Callback):
    """
    Writes each best policy as it is found, so that a killed run does not lose it.

    Args:
        path: the policy file; a better policy replaces it.

    Raises:
        StorageError: the file cannot be written; the previous file is kept.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Write the policy if it is the best so far."""
        if is_best:
            policy.save(self._path)


class EvaluateIn(Callback):
    """
    At each evaluation, evaluates the policy in another environment too, for example with more noise.

    Training does not depend on it. The seeds of the episodes are always the same, so that only the policy differs.

    Args:
        env: an environment other than the training environment, with the same observations; it stays open.
        episodes: number of episodes of each evaluation.
        seed: episode i is reset with a seed drawn from (seed, i).
        max_steps: maximum length of an episode; None: no limit.
    """

    def __init__(
        self, env: 'gymnasium.Env[Any, Any]', *, episodes: int = 10, seed: int = 0, max_steps: int | None = None
    ) -> None:
        self.env = env
        self._options: dict[str, Any] = {'episodes': episodes, 'seed': seed, 'max_steps': max_steps}
        self.records: list[EvaluationRecord] = []
        """One record for each evaluation so far; its steps, episode and seconds count the training."""

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Evaluate the policy, and keep the result."""
        result = evaluate(Policy(policy), self.env, **self._options)
        self.records.append(dataclasses.replace(record, result=result))
