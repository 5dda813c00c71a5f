"""What a training run leaves behind, as plain data."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velora_ros.policy import PolicyFile
from velora_ros.training.diagnostics import DiagnosticsRecord


@dataclass(frozen=True)
class EpisodeRecord:
    """
    One training episode.

    Args:
        episode: counted from 1 over all calls of ``train``.
        steps: environment steps so far, this episode's included.
        episode_return: undiscounted sum of rewards, exploration noise included.
        length: steps of this episode.
        critic_loss: mean over the episode's updates; NaN where there were none.
        actor_loss: likewise.
        steps_per_s: environment steps a second since training began, evaluations excluded.
        seconds: training time so far [s], evaluations excluded.
    """

    episode: int
    steps: int
    episode_return: float
    length: int
    critic_loss: float
    actor_loss: float
    steps_per_s: float
    seconds: float


@dataclass(frozen=True)
class EvaluationResult:
    """
    Deterministic episodes of one policy.

    Args:
        returns: undiscounted return of each episode.
        lengths: steps of each episode.
    """

    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    @property
    def std(self) -> float:
        """Standard deviation of the returns."""
        return float(np.std(self.returns))


@dataclass(frozen=True)
class EvaluationRecord:
    """An evaluation in the course of training: what came out, after how many steps, episodes and seconds."""

    steps: int
    episode: int
    seconds: float
    result: EvaluationResult


@dataclass
class TrainResult:
    """
    What ``train`` returns.

    Args:
        episodes: one record per episode, in order.
        evaluations: one record per evaluation; empty where no evaluation environment could be made.
        best_policy: the newest policy whose mean return is within a thousandth of the best; None without evaluations.
        best_evaluation: its evaluation.
        steps: environment steps of this call.
        seconds: training time [s], evaluations excluded.
        stopped: why training ended before its time; empty when it did not.
        stopped_by: what ended it: ``steps`` (``total_steps`` were done), ``episodes`` (``n_episodes`` were), ``solved``
            or ``patience`` (:class:`EarlyStopping`), ``signal``, ``request`` (a service or another program) or
            ``callback``.
        reason: the same in words, whatever ended it.
        diagnostics: how learning went, one record every 1,000 steps and one at the end; docs/training.md has the table.
    """

    episodes: list[EpisodeRecord] = field(default_factory=list)
    evaluations: list[EvaluationRecord] = field(default_factory=list)
    best_policy: PolicyFile | None = None
    best_evaluation: EvaluationRecord | None = None
    steps: int = 0
    seconds: float = 0.0
    stopped: str = ''
    stopped_by: str = ''
    reason: str = ''
    diagnostics: list[DiagnosticsRecord] = field(default_factory=list)

    @property
    def returns(self) -> list[float]:
        """Return of each training episode."""
        return [record.episode_return for record in self.episodes]


@dataclass
class RunState:
    """
    Where a run stands between two episodes; with the agent's own state, all that it needs to go on.

    Args:
        steps_before: steps the agent had taken before this run began.
        credit: updates that are due, a fraction of one.
        seconds: training time so far [s], evaluations excluded.
        live: values now of the loop's hyperparameters that may change while it runs.
        result: what the run has brought so far.
    """

    steps_before: int = 0
    credit: float = 0.0
    seconds: float = 0.0
    live: dict[str, Any] = field(default_factory=dict)
    result: TrainResult = field(default_factory=TrainResult)

    @property
    def steps(self) -> int:
        """Steps of the agent so far."""
        return self.result.episodes[-1].steps if self.result.episodes else self.steps_before
