"""The progress of training: a bar on a terminal, and a status line every few episodes."""

import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult
from velora_ros.utils.output import write_line


class ProgressBar(Callback):
    """
    A bar with return, losses, steps per second and remaining time; without a terminal, only the status lines.

    Args:
        window_size: number of episodes between two status lines; each line shows the means of these episodes.
    """

    def __init__(self, window_size: int) -> None:
        self._window: deque[EpisodeRecord] = deque(maxlen=window_size)
        self._bar: tqdm[Any] | None = None
        self._in_steps = False
        self._evaluation = ''

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Open the bar; it counts steps if they are limited, otherwise episodes."""
        self._in_steps = total_steps is not None
        self._bar = tqdm(
            total=total_steps or n_episodes,
            unit=' steps' if self._in_steps else ' episodes',
            disable=sys.stderr is None or not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def on_resume(self, state: RunState) -> None:
        """Move the bar to where the run is resumed."""
        if self._bar is not None:
            self._bar.update(state.steps - state.steps_before if self._in_steps else len(state.result.episodes))

    def on_step(self, steps: int) -> None:
        """Move the bar if it counts steps."""
        if self._in_steps and self._bar is not None:
            self._bar.update(steps - self._bar.n)  # a vector of environments takes several at once

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Show the episode; every ``window_size`` episodes, write a status line."""
        self._window.append(record)
        if self._bar is not None:
            if not self._in_steps:
                self._bar.update()
            self._bar.set_postfix_str(
                f'return {record.episode_return:.1f}{self._evaluation}, '
                f'{_losses(record.critic_loss, record.actor_loss)}, {record.steps_per_s:.0f} steps/s',
                refresh=False,
            )
        if record.episode % self._window.maxlen == 0:  # type: ignore[operator]
            self._write(self._status(record))

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Show the evaluation in the bar."""
        self._evaluation = f', evaluation {record.result.mean:.1f}'

    def on_train_end(self, result: TrainResult) -> None:
        """Close the bar and write a summary."""
        if self._bar is not None:
            self._bar.close()
        best = result.best_evaluation
        shown = '' if best is None else f', best evaluation {best.result.mean:.1f} after {best.steps} steps'
        self._write(
            f'trained {result.steps} steps, {len(result.episodes)} episodes in {result.seconds:.0f} s{shown} '
            f'(ended by {result.reason})'
        )

    def _status(self, record: EpisodeRecord) -> str:
        mean_return = np.mean([one.episode_return for one in self._window])
        losses = [_mean([getattr(one, name) for one in self._window]) for name in ('critic_loss', 'actor_loss')]
        return (
            f'episode {record.episode}: steps {record.steps}, mean return {mean_return:.1f}{self._evaluation}, '
            f'{_losses(*losses)}, {record.steps_per_s:.0f} steps/s'
        )

    @staticmethod
    def _write(line: str) -> None:
        with tqdm.external_write_mode(file=sys.stdout):
            write_line(line)


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    known = [value for value in values if value == value]  # noqa: PLR0124 - NaN differs from itself
    return float(np.mean(known)) if known else float('nan')


def _losses(critic: float, actor: float) -> str:
    """Return the losses as text; before the first update there are none."""
    return 'no update yet' if np.isnan(critic) else f'critic loss {critic:.3g}, actor loss {actor:.3g}'
