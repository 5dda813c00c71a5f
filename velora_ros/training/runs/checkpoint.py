"""Checkpoints of a run: when they are written, which are kept, and what of them is the loop's."""

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.diagnostics import NAMES, DiagnosticsRecord, complete
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, EvaluationResult, RunState, TrainResult
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import RunPaths

SUFFIX = '.safetensors'
LARGEST_SHARE = 0.01  # of the training time that periodic checkpoints may take
EVERY_STEPS = 2000  # so much is lost at most if the process is killed, however fast it trains, one episode aside
LARGEST_SHARE_OF_STEPS = 0.05  # of the training time that those may take, on a slow disk

EPISODE_FIELDS = ('episode', 'steps', 'episode_return', 'length', 'critic_loss', 'actor_loss', 'steps_per_s', 'seconds')
WHOLE_NUMBERS = ('episode', 'steps', 'length')


class Checkpoints(Callback):
    """
    Write a checkpoint before the first episode, then between two episodes when one is due, and at the end.

    One is due after some time, after :data:`EVERY_STEPS` steps, and when an evaluation has found the best policy so
    far, which a run that is killed must not forget.

    Args:
        folder: the run's; each is named after the agent's steps.
        write: writes one, whole or not at all.
        every: least seconds between two; 0: after every episode. A slow disk makes them rarer, so that they never take
            more than a hundredth of the time.
        keep: how many of the newest stay.
        every_steps: most steps between two, one episode aside; where writing one takes long they become rarer, so that
            they never take more than a twentieth of the time.
        clock: seconds.

    Raises:
        ConfigError: a number is out of range.
    """

    def __init__(
        self,
        folder: RunFolder,
        write: Callable[[Path, RunState], None],
        *,
        every: float = 30.0,
        keep: int = 3,
        every_steps: int = EVERY_STEPS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int | float) or not 0 <= every < float('inf'):
            raise ConfigError(f'checkpoint_every is {every!r}; it must be a number of seconds, 0 for every episode.')
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise ConfigError(f'keep_checkpoints is {keep!r}; it must be a whole number of at least 1.')
        self._folder, self._write, self._every, self._keep, self._clock = folder, write, every, keep, clock
        self._every_steps = every_steps
        self._steps: int | None = None
        self._due = self._earliest = -float('inf')
        self._found_best = False

    def on_resume(self, state: RunState) -> None:
        """Note that the one resumed from is there; a run killed between writing and tidying has left one too many."""
        self._steps = state.steps
        self._tidy()
        self._wait(0.0)

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """Write one if it is due."""
        began = self._clock()
        if state.steps == self._steps or not (last or self._is_due(state.steps, began)):
            return
        path = self._folder.checkpoints / f'{state.steps:09d}{SUFFIX}'
        self._folder.checkpoint_wanted = self._found_best = False
        self._write(path, state)
        self._steps = state.steps
        self._tidy()
        self._wait(self._clock() - began)
        self._folder.on_checkpoint(path)

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Keep the best policy so far with the next checkpoint, which follows at the end of the episode."""
        self._found_best |= is_best

    def _is_due(self, steps: int, now: float) -> bool:
        if self._folder.checkpoint_wanted or now >= self._due:
            return True
        many = self._steps is None or steps - self._steps >= self._every_steps
        return (many or self._found_best) and now >= self._earliest

    def _tidy(self) -> None:
        for old in checkpoints(self._folder)[self._keep :]:
            old.unlink(missing_ok=True)

    def _wait(self, cost: float) -> None:
        now = self._clock()
        self._due = now + max(self._every, cost / LARGEST_SHARE if self._every else 0.0)
        self._earliest = now + cost / LARGEST_SHARE_OF_STEPS


def checkpoints(run: RunPaths) -> list[Path]:
    """Return a run's checkpoints, the newest first."""
    numbered = [path for path in run.checkpoints.glob(f'*{SUFFIX}') if path.stem.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.stem), reverse=True)


def pack(state: RunState) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Return a loop's state as arrays and what JSON can hold, bit for bit."""
    result = state.result
    evaluations, best = result.evaluations, result.best_policy
    outcomes = [one.result for one in evaluations]
    arrays: dict[str, npt.NDArray[Any]] = {
        'episodes': np.array([[getattr(one, name) for name in EPISODE_FIELDS] for one in result.episodes], float),
        'evaluations': np.array(
            [[one.steps, one.episode, one.seconds, len(one.result.returns)] for one in evaluations], float
        ),
        'evaluation_returns': np.array([value for one in outcomes for value in one.returns], float),
        'evaluation_lengths': np.array([value for one in outcomes for value in one.lengths], np.int64),
        'diagnostics': np.array(
            [
                [one.steps, one.episode, one.seconds, *(one.values[name] for name in NAMES)]
                for one in result.diagnostics
            ],
            float,
        ).reshape(-1, 3 + len(NAMES)),
        'best_policy': np.frombuffer(best.to_bytes() if best else b'', np.uint8),
    }
    index = next((i for i, one in enumerate(evaluations) if one is result.best_evaluation), None)
    values = {
        'steps_before': state.steps_before,
        'credit': state.credit,
        'seconds': state.seconds,
        'live': state.live,
        'best_evaluation': index,
        'diagnostics': list(NAMES),
    }
    return arrays, values


def unpack(arrays: Mapping[str, npt.NDArray[Any]], values: Mapping[str, Any]) -> RunState:
    """
    Return what was packed.

    Raises:
        KeyError, ValueError, PolicyFileError: something is missing or damaged.
    """
    returns = iter(arrays['evaluation_returns'].tolist())
    lengths = iter(arrays['evaluation_lengths'].tolist())
    evaluations = []
    for steps, episode, seconds, count in arrays['evaluations'].reshape(-1, 4).tolist():
        outcome = EvaluationResult(*(tuple(itertools.islice(source, int(count))) for source in (returns, lengths)))
        evaluations.append(EvaluationRecord(int(steps), int(episode), seconds, outcome))
    best, index = arrays['best_policy'].tobytes(), values['best_evaluation']
    result = TrainResult(
        episodes=[_episode(row) for row in arrays['episodes'].reshape(-1, len(EPISODE_FIELDS)).tolist()],
        evaluations=evaluations,
        best_policy=PolicyFile.from_bytes(best) if best else None,
        best_evaluation=None if index is None else evaluations[index],
        diagnostics=_diagnostics(arrays, values),
    )
    return RunState(values['steps_before'], values['credit'], values['seconds'], values['live'], result)


def _episode(row: list[float]) -> EpisodeRecord:
    named: dict[str, Any] = dict(zip(EPISODE_FIELDS, row, strict=True))
    return EpisodeRecord(**{**named, **{name: int(named[name]) for name in WHOLE_NUMBERS}})


def _diagnostics(arrays: Mapping[str, npt.NDArray[Any]], values: Mapping[str, Any]) -> list[DiagnosticsRecord]:
    """Return the records; a checkpoint of before there were any has none, one of another version its own names."""
    names = values.get('diagnostics', [])
    rows = arrays['diagnostics'].reshape(-1, 3 + len(names)).tolist() if names else []
    return [
        DiagnosticsRecord(int(steps), int(episode), seconds, complete(dict(zip(names, numbers, strict=True))))
        for steps, episode, seconds, *numbers in rows
    ]
