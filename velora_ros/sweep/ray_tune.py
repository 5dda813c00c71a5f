"""Run the trials of a sweep on Ray Tune. Only this module imports Ray, which ``ray_session`` must have started."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler

from velora_ros.pictures.read_runs import read_run
from velora_ros.sweep.folder import SweepFolder
from velora_ros.sweep.plan import Sweep, Trial
from velora_ros.sweep.results import FAILED, STOPPED, TrialResult
from velora_ros.sweep.trial import run_trial
from velora_ros.training.runs.paths import RunPaths

DIED = 'its process ended without a message; it was killed, or ran out of memory. --resume runs it again.'


def run_trials(
    folder: SweepFolder,
    *,
    wants_stop: Callable[[], bool],
    on_progress: Callable[[Trial, int], None],
    on_end: Callable[[TrialResult], None],
) -> None:
    """
    Run the trials that are not done, until all are done or ``wants_stop`` returns True.

    Args:
        folder: folder of the sweep; each trial that has ended is added to it.
        wants_stop: returns whether to stop; called often.
        on_progress: called with a trial and its steps so far.
        on_end: called with each trial that has ended.

    Raises:
        StorageError: the folder cannot be written.
    """
    sweep, trials, path = folder.sweep, folder.to_do, folder.path.resolve()

    folder.remove_ray_files()  # files of a sweep that was killed

    def trainable(config: dict[str, Any]) -> None:
        tune.report(run_trial(trials[config['trial']], path, tune.report))

    tuner = tune.Tuner(
        tune.with_resources(trainable, {'cpu': sweep.cpus_per_trial}),
        param_space={'trial': tune.grid_search(list(range(len(trials))))},
        tune_config=tune.TuneConfig(
            scheduler=scheduler(sweep, folder.path, folder.results),
            max_concurrent_trials=sweep.max_concurrent,
            reuse_actors=True,  # torch is imported and the policy's step compiled once per core, not once per trial
        ),
        run_config=tune.RunConfig(
            name='trials',
            storage_path=str(folder.ray_files.resolve()),
            stop=_Stopper(wants_stop),
            callbacks=[_Listener(folder, trials, on_progress, on_end)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        folder.remove_ray_files()


def scheduler(sweep: Sweep, folder: Path, done: Sequence[TrialResult]) -> AsyncHyperBandScheduler | None:
    """
    Return the scheduler that stops trials early; None if the sweep has no scheduler.

    Args:
        sweep: the plan, with the scheduler's settings.
        folder: folder of the sweep.
        done: the trials that ended earlier; the scheduler compares others with their returns.
    """
    if sweep.scheduler is None:
        return None
    asha = AsyncHyperBandScheduler(
        time_attr='steps',
        metric='return',
        mode='max',
        max_t=sweep.steps + 1,  # a trial ends by itself before this
        grace_period=sweep.scheduler.grace_steps,
        reduction_factor=sweep.scheduler.reduction_factor,
    )
    for result in done:
        _recall(asha, folder, result.trial)
    return asha


def _recall(asha: Any, folder: Path, trial: Trial) -> None:
    """Add the returns of a trial that ended earlier; after a restart Tune begins with empty rungs."""
    paths, stand_in = RunPaths(folder / trial.name), SimpleNamespace(trial_id=trial.name)
    curve = read_run('', paths.evaluations, paths.episodes).evaluations
    asha.on_trial_add(None, stand_in)
    for steps, value in zip(curve.steps, curve.returns, strict=True):
        asha.on_trial_result(None, stand_in, {'steps': int(steps), 'return': float(value)})


class _Stopper(tune.Stopper):
    """Stops all trials when ``wants_stop`` returns True."""

    def __init__(self, wants_stop: Callable[[], bool]) -> None:
        self._wants_stop = wants_stop

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Return whether to stop all trials."""
        return self._wants_stop()


class _Listener(tune.Callback):
    """Passes on Tune's reports about the trials, in the process that the user started."""

    def __init__(
        self,
        folder: SweepFolder,
        trials: Sequence[Trial],
        on_progress: Callable[[Trial, int], None],
        on_end: Callable[[TrialResult], None],
    ) -> None:
        self._folder, self._trials = folder, trials
        self._on_progress, self._on_end = on_progress, on_end

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Pass on a trial's steps so far."""
        if 'steps' in result:
            self._on_progress(self._own(trial), result['steps'])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Record that a trial has ended; a trial that reported no status was stopped."""
        last = trial.last_result or {}
        self._end(trial, last.get('status', STOPPED), last.get('message', ''))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Record that a trial's process has died."""
        self._end(trial, FAILED, DIED)

    def _end(self, trial: Any, status: str, message: str) -> None:
        self._on_end(self._folder.add(self._own(trial), status, message))

    def _own(self, trial: Any) -> Trial:
        index: int = trial.config['trial']
        return self._trials[index]
