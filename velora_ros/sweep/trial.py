"""One training run of a sweep, in its own process."""

import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from velora_ros.errors import StorageError, UnsupportedEnvironmentError, VeloraError
from velora_ros.gym.describe_env_errors import closing
from velora_ros.policy import PolicyFile
from velora_ros.sweep.plan import Trial
from velora_ros.sweep.results import FAILED, FINISHED
from velora_ros.training.callbacks import Callback
from velora_ros.training.records import EvaluationRecord
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import RunPaths

PATIENCE_S = 20.0  # the processes of a killed sweep keep their run folders locked for a moment
TRACEBACK = 'error.txt'


class ReportEvaluations(Callback):
    """
    Reports each evaluation except the last, after which there is nothing left to stop.

    Args:
        report: called with ``steps`` and ``return``.
        total_steps: environment steps of the trial.
    """

    def __init__(self, report: Callable[[dict[str, Any]], None], total_steps: int | None) -> None:
        self._report, self._total_steps = report, total_steps

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Report the evaluation; the scheduler may end the process here."""
        if record.steps != self._total_steps:
            self._report({'steps': record.steps, 'return': record.result.mean})


def run_trial(trial: Trial, folder: Path, report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """
    Train, from the newest checkpoint if there is one. Errors are returned, not raised.

    Args:
        trial: the trial.
        folder: folder of the sweep.
        report: see :class:`ReportEvaluations`.

    Returns:
        ``status`` and ``message``.
    """
    own = folder / trial.name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        try:
            _train(trial.config, own, report)
        except Exception as error:  # an environment may raise anything; it concerns this trial only
            return {'status': FAILED, 'message': _explained(error, own)}
    (own / TRACEBACK).unlink(missing_ok=True)
    messages = dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning))
    return {'status': FINISHED, 'message': ' '.join(messages)}


def _train(config: RunConfig, folder: Path, report: Callable[[dict[str, Any]], None]) -> None:
    from velora_ros.models.run_from_config import make_environment, make_model, train_run  # noqa: PLC0415 - torch, here alone

    with closing(make_environment(config)) as env, _opened(folder, config) as run:
        model = make_model(run.started_with, env)
        result = train_run(run, model, env, callbacks=[ReportEvaluations(report, config.total_steps)], progress=False)
    if not result.evaluations:
        raise UnsupportedEnvironmentError(
            f"a second '{config.env}' for evaluation could not be made, and a sweep compares evaluations; its wrappers "
            'must also derive from gymnasium.utils.RecordConstructorArgs.'
        )


def _opened(folder: Path, config: RunConfig) -> RunFolder:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return RunFolder.resume(folder) if RunPaths(folder).holds_run else RunFolder.start(folder, config)
        except StorageError:
            if time.monotonic() > deadline:
                raise
        time.sleep(1.0)


def _explained(error: Exception, folder: Path) -> str:
    """Return the error as one line; write the traceback of an error that is not this package's into the folder."""
    if isinstance(error, VeloraError):
        return ' '.join(str(error).split())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRACEBACK).write_text(''.join(traceback.format_exception(error)), encoding='utf-8')
    return f'{type(error).__name__}: {" ".join(str(error).split())} (traceback in {folder.name}/{TRACEBACK}).'
