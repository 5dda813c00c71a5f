"""The records of a training run: episodes, evaluations, the result, and the state between two episodes."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.policy import PolicyFile
from velora_ros.training.diagnostics import DiagnosticsRecord


@dataclass(frozen=True)
class EpisodeRecord:
    """
    One training episode.

    Args:
        episode: counted from 1 over all calls of ``train``.
        steps: environment steps so far, including this episode's.
        episode_return: undiscounted sum of rewards, with exploration noise.
        length: steps of this episode.
        critic_loss: mean over the episode's updates; NaN if there were none.
        actor_loss: mean over the episode's updates; NaN if there were none.
        steps_per_s: environment steps per second since training began, evaluations excluded.
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
    """An evaluation during training: its result, and the steps, episode and training time [s] before it."""

    steps: int
    episode: int
    seconds: float
    result: EvaluationResult


@dataclass
class TrainResult:
    """
    The result of ``train``.

    Args:
        episodes: one record per episode, in order.
        evaluations: one record per evaluation; empty if no evaluation environment could be made.
        best_policy: the newest policy whose mean return is within a thousandth of the best; None without evaluations.
        best_evaluation: the evaluation of that policy.
        steps: environment steps of this call.
        seconds: training time [s], evaluations excluded.
        stopped: why training ended early; empty if it did not.
        stopped_by: what ended training: ``steps`` (``total_steps`` were done), ``episodes`` (``n_episodes`` were done),
            ``solved`` or ``patience`` (:class:`EarlyStopping`), ``signal``, ``request`` (a service or another program)
            or ``callback``.
        reason: what ended training, as a phrase.
        diagnostics: one record of learning every 1,000 steps and one at the end; docs/training.md has the table.
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
    The state of the loop between two episodes; together with the agent's state, a run can continue from it.

    Args:
        steps_before: steps the agent had taken before this run began.
        credit: the fraction of an update that is due.
        seconds: training time so far [s], evaluations excluded.
        live: current values of the hyperparameters that may change.
        result: the records of the run so far.
        streams: state of each stream, by name, if many environments are used; empty for a single environment.
        terms: sums of the reward's terms since the last diagnostics; empty if the environment reports none.
    """

    steps_before: int = 0
    credit: float = 0.0
    seconds: float = 0.0
    live: dict[str, Any] = field(default_factory=dict)
    result: TrainResult = field(default_factory=TrainResult)
    streams: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    terms: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Steps of the agent so far."""
        if 'steps' in self.streams:
            return int(self.streams['steps'])
        return self.result.episodes[-1].steps if self.result.episodes else self.steps_before


class EpisodeSums:
    """Sums of an episode in progress: its rewards, and the metrics of its updates."""

    def __init__(self) -> None:
        self.length = 0
        """Steps so far."""
        self._return, self._updates = 0.0, 0
        self._metrics: dict[str, float] = {}

    def add(self, reward: float, metrics: Mapping[str, float] | None) -> None:
        """Add a step; ``metrics`` is None if there was no update."""
        self.length += 1
        self._return += reward
        if metrics is not None:
            self._updates += 1
            for name, value in metrics.items():
                self._metrics[name] = self._metrics.get(name, 0.0) + value

    @classmethod
    def of_episode(cls, length: int, episode_return: float, means: Mapping[str, float]) -> 'EpisodeSums':
        """Return the sums of an episode that is over, with the means of its metrics."""
        sums = cls()
        sums.length, sums._return, sums._updates, sums._metrics = length, episode_return, 1, dict(means)
        return sums

    def record(self, episode: int, steps: int, *, steps_per_s: float, seconds: float) -> EpisodeRecord:
        """Return the record of the episode, with means of the metrics; see :class:`EpisodeRecord` for the arguments."""
        critic_loss, actor_loss = self._mean('critic_loss'), self._mean('actor_loss')
        return EpisodeRecord(episode, steps, self._return, self.length, critic_loss, actor_loss, steps_per_s, seconds)

    def _mean(self, name: str) -> float:
        return self._metrics[name] / self._updates if name in self._metrics else math.nan


class Stopwatch:
    """
    Measures training time, evaluations excluded.

    Args:
        clock: returns seconds.
        already: earlier training time of a resumed run [s].
    """

    def __init__(self, clock: Callable[[], float], already: float = 0.0) -> None:
        self._clock = clock
        self._start = clock() - already

    def seconds(self) -> float:
        """Return the training time so far [s]."""
        return self._clock() - self._start

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the time that the block takes."""
        began = self._clock()
        yield
        self._start += self._clock() - began
