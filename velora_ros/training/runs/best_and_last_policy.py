"""The policy files of a run: the best policy so far, and the last one."""

from collections.abc import Callable

from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback
from velora_ros.training.records import EvaluationRecord, RunState, TrainResult
from velora_ros.training.runs.paths import RunPaths


class KeptPolicies(Callback):
    """
    Writes ``policies/best.safetensors`` after evaluations, and ``policies/last.safetensors`` at the end.

    Args:
        paths: the files of the run.
        current: returns the current policy.

    Raises:
        StorageError: a file cannot be written; the previous file is not changed.
    """

    def __init__(self, paths: RunPaths, current: Callable[[], PolicyFile]) -> None:
        self._paths, self._current = paths, current

    def on_resume(self, state: RunState) -> None:
        """Write the checkpoint's best policy; the resumed training finds any better policies that came later again."""
        if state.result.best_policy is not None:
            state.result.best_policy.save(self._paths.best_policy)
        else:
            self._paths.best_policy.unlink(missing_ok=True)

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Write the policy if it is the best so far."""
        if is_best:
            policy.save(self._paths.best_policy)

    def on_train_end(self, result: TrainResult) -> None:
        """Write the last policy of training."""
        self._current().save(self._paths.last_policy)
