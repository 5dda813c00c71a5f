"""
Hooks into the training loop; derive from :class:`Callback` and override what you need.

Ready to use: :class:`EarlyStopping`, :class:`KeepBest`, :class:`EvaluateIn`.
"""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import gymnasium

from velora_ros.errors import ConfigError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.diagnostics import DiagnosticsRecord
from velora_ros.training.evaluation import evaluate
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult

LIVE = ('noise_scale', 'update_ratio', 'actor_lr', 'critic_lr')
"""The hyperparameters that may change between two episodes."""


class StopTraining(Exception):  # noqa: N818 - a request, no error
    """
    Raise it from any callback to end training cleanly; the message becomes ``TrainResult.stopped``.

    Args:
        message: the reason, in words.
        by: what stops it, in one word; it becomes ``TrainResult.stopped_by``.
    """

    def __init__(self, message: str = '', *, by: str = 'callback') -> None:
        super().__init__(message)
        self.by = by

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep ``by`` on the way to another process."""
        return type(self), (str(self),), {'by': self.by}


class Callback:
    """Does nothing; every method is optional. The methods are called in the order of this class."""

    model: Any = None
    """The agent that is trained, a ``LiquidDDPG``, from before ``on_train_start``; None before the first training."""

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Training is about to begin; the budget is in episodes, in steps, or both."""

    def on_resume(self, state: RunState) -> None:
        """Note that a run goes on which had got so far; what was seen after ``state`` comes again."""

    def on_episode_start(self) -> Mapping[str, float]:
        """
        Return hyperparameters of :data:`LIVE` that change with the episode about to begin; usually none.

        Another name, or a value that :class:`velora_ros.training.TrainConfig` refuses, is a ConfigError.
        """
        return {}

    def on_step(self, steps: int) -> None:
        """Note that the environment has taken its ``steps``-th step of this call and the updates due are done."""

    def on_diagnostics(self, record: DiagnosticsRecord) -> None:
        """Note how learning went since the last record: every 1,000 steps, and at the end."""

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Note that an episode is over."""

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Note that a policy was evaluated; ``is_best``: no earlier one of this call was better by a thousandth."""

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """
        Note that everything is at rest: before the first episode, and after each one that came to its own end.

        ``last``: training is over; not called so when it ended in the middle of an episode.
        """

    def on_train_end(self, result: TrainResult) -> None:
        """Training is over, for whatever reason."""


class EarlyStopping(Callback):
    """
    Ends training when it is good enough, or no longer gets better; it only looks at evaluations.

    A resumed run goes on counting where it stood.

    Args:
        threshold: a mean return that is good enough; None: none is.
        in_a_row: consecutive evaluations at or above the threshold that end training; the default is what "solved"
            means in this package's results.
        patience: evaluations without a better one than the best so far that end training; None: it never gives up.

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
        """Begin to count."""
        self._forget()

    def on_resume(self, state: RunState) -> None:
        """Count what was evaluated before."""
        self._forget()
        for record in state.result.evaluations:
            self._count(record.result.mean)

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Count, and stop if it is time."""
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

    def _forget(self) -> None:
        self._good = self._worse = 0
        self._best = -math.inf


class KeepBest(Callback):
    """
    Writes each best policy as it is found: a run that is killed does not lose it.

    Args:
        path: the policy file; a better policy replaces it whole.

    Raises:
        StorageError: it cannot be written; the one before is kept.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Write it if it is the best so far."""
        if is_best:
            policy.save(self._path)


class EvaluateIn(Callback):
    """
    Whenever the policy is evaluated, evaluates it in another environment too: noisier, slower, the real task.

    Training learns nothing of it. The episodes' seeds are the same each time, so that the curve shows the policy alone.

    Args:
        env: gives what the policy reads, in its order, and is not the one that is trained in; it stays open.
        episodes: of each evaluation.
        seed: episode i is reset with a seed drawn from (seed, i).
        max_steps: of an episode; None: as long as it takes.
    """

    def __init__(
        self, env: 'gymnasium.Env[Any, Any]', *, episodes: int = 10, seed: int = 0, max_steps: int | None = None
    ) -> None:
        self.env = env
        self._options: dict[str, Any] = {'episodes': episodes, 'seed': seed, 'max_steps': max_steps}
        self.records: list[EvaluationRecord] = []
        """One record for each evaluation so far; steps, episode and seconds are training's."""

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Evaluate, and keep the result."""
        result = evaluate(Policy(policy), self.env, **self._options)
        self.records.append(dataclasses.replace(record, result=result))
