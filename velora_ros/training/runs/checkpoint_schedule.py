"""When checkpoints of a run are written, and how many are kept."""

import time
from collections.abc import Callable
from pathlib import Path

from velora_ros.errors import ConfigError
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.records import EvaluationRecord, RunState
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import CHECKPOINT_SUFFIX, checkpoint_files

LARGEST_SHARE = 0.01  # share of the training time that periodic checkpoints may take
EVERY_STEPS = 2000  # steps of each environment; a killed process loses at most these and the running episode
LARGEST_SHARE_OF_STEPS = 0.05  # share of the training time that checkpoints after EVERY_STEPS may take


class Checkpoints(Callback):
    """
    Writes a checkpoint before the first episode, then between two episodes when it is due, and at the end.

    A checkpoint is due after some time, after :data:`EVERY_STEPS` steps of each environment, and when an evaluation has
    found the best policy so far, which a killed run must not lose.

    Args:
        folder: the folder of the run; each checkpoint is named after the agent's steps.
        write: writes a checkpoint as a whole or not at all.
        every: minimum time between two checkpoints [s]; 0: after every episode. On a slow disk, checkpoints become less
            frequent and never take more than a hundredth of the time.
        keep: number of newest checkpoints to keep.
        every_steps: number of steps, over all environments, after which a checkpoint follows at the next episode's end.
            If writing is slow, checkpoints become less frequent and never take more than a twentieth of the time.
        clock: returns seconds.

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
        """Delete surplus files; a run that is killed between writing and deleting leaves one file too many."""
        self._steps = state.steps
        self._delete_old()
        self._wait(0.0)

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """Write a checkpoint if one is due."""
        began = self._clock()
        if state.steps == self._steps or not (last or self._is_due(state.steps, began)):
            return
        path = self._folder.checkpoints / f'{state.steps:09d}{CHECKPOINT_SUFFIX}'
        self._folder.checkpoint_wanted = self._found_best = False
        self._write(path, state)
        self._steps = state.steps
        self._delete_old()
        self._wait(self._clock() - began)
        self._folder.on_checkpoint(path)

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Request a checkpoint if the policy is the best so far."""
        self._found_best |= is_best

    def _is_due(self, steps: int, now: float) -> bool:
        if self._folder.checkpoint_wanted or now >= self._due:
            return True
        many = self._steps is None or steps - self._steps >= self._every_steps
        return (many or self._found_best) and now >= self._earliest

    def _delete_old(self) -> None:
        for old in checkpoint_files(self._folder)[self._keep :]:
            old.unlink(missing_ok=True)

    def _wait(self, cost: float) -> None:
        now = self._clock()
        self._due = now + max(self._every, cost / LARGEST_SHARE if self._every else 0.0)
        self._earliest = now + cost / LARGEST_SHARE_OF_STEPS
