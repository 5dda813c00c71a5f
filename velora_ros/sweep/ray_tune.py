"""The trials of a sweep on Ray Tune; the one module that imports Ray, which must be set up before (``ray_session``)."""

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

DIED = 'its process died without a word: killed, or out of memory. --resume tries it again.'


def run_trials(
    folder: SweepFolder,
    *,
    wants_stop: Callable[[], bool],
    on_progress: Callable[[Trial, int], None],
    on_end: Callable[[TrialResult], None],
) -> None:
    """
    Run the trials that are not done, until all are or somebody wants to stop.

    Args:
        folder: of the sweep; each trial that is over is added to it.
        wants_stop: asked often.
        on_progress: called with a trial and its steps so far.
        on_end: called with each trial that is over.

    Raises:
        StorageError: the folder cannot be written.
    """
    sweep, trials, path = folder.sweep, folder.to_do, folder.path.resolve()

    folder.remove_engine()  # of a sweep that was killed

    def trainable(config: dict[str, Any]) -> None:
        tune.report(run_trial(trials[config['trial']], path, tune.report))

    tuner = tune.Tuner(
        tune.with_resources(trainable, {'cpu': sweep.cpus_per_trial}),
        param_space={'trial': tune.grid_search(list(range(len(trials))))},
        tune_config=tune.TuneConfig(
            scheduler=scheduler(sweep, folder.path, folder.results),
            max_concurrent_trials=sweep.max_concurrent,
            reuse_actors=True,  # torch is loaded and the policy's step compiled once a core, not once a trial
        ),
        run_config=tune.RunConfig(
            name='trials',
            storage_path=str(folder.engine.resolve()),
            stop=_Stopper(wants_stop),
            callbacks=[_Listener(folder, trials, on_progress, on_end)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        folder.remove_engine()


def scheduler(sweep: Sweep, folder: Path, done: Sequence[TrialResult]) -> AsyncHyperBandScheduler | None:
    """
    Return what ends trials early, None where nothing does; it is told what the trials that are done have reached.

    Args:
        sweep: says which.
        folder: of the sweep.
        done: trials of earlier starts.
    """
    if sweep.scheduler is None:
        return None
    asha = AsyncHyperBandScheduler(
        time_attr='steps',
        metric='return',
        mode='max',
        max_t=sweep.steps + 1,  # a trial that gets that far ends by itself
        grace_period=sweep.scheduler.grace_steps,
        reduction_factor=sweep.scheduler.reduction_factor,
    )
    for result in done:
        _recall(asha, folder, result.trial)
    return asha


def _recall(asha: Any, folder: Path, trial: Trial) -> None:
    """Give the rungs the returns of a trial that is over, as if it had just run; Tune itself begins with empty ones."""
    paths, stand_in = RunPaths(folder / trial.name), SimpleNamespace(trial_id=trial.name)
    curve = read_run('', paths.evaluations, paths.episodes).evaluations
    asha.on_trial_add(None, stand_in)
    for steps, value in zip(curve.steps, curve.returns, strict=True):
        asha.on_trial_result(None, stand_in, {'steps': int(steps), 'return': float(value)})


class _Stopper(tune.Stopper):
    """Ends all trials once somebody wants that."""

    def __init__(self, wants_stop: Callable[[], bool]) -> None:
        self._wants_stop = wants_stop

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Say whether it is time."""
        return self._wants_stop()


class _Listener(tune.Callback):
    """Hears from Tune how the trials get on, in the process that the user started."""

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
        """Hand on how far a trial has got."""
        if 'steps' in result:
            self._on_progress(self._own(trial), result['steps'])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Note that a trial is over; one that has not said how it ended was stopped."""
        last = trial.last_result or {}
        self._end(trial, last.get('status', STOPPED), last.get('message', ''))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Note that a trial's process is gone."""
        self._end(trial, FAILED, DIED)

    def _end(self, trial: Any, status: str, message: str) -> None:
        self._on_end(self._folder.add(self._own(trial), status, message))

    def _own(self, trial: Any) -> Trial:
        index: int = trial.config['trial']
        return self._trials[index]
