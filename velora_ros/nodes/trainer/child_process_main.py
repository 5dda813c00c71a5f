"""
Runs in the child process of trainer_node: trains without ROS. Only this process imports torch.

It reads lines from standard input: first the job, in JSON, then requests (``pause_save_stop.py``). When the input ends,
the node has ended, and training stops. Each event is written to standard output as one line of JSON:

    alive           steps, steps_per_s: at least every half second, except during an evaluation
    episode         the fields of an EpisodeRecord
    diagnostics     the finite values of a DiagnosticsRecord
    evaluation      steps, mean, std, best; also policy, the path of the file, if it is announced
    policy          what, policy: the untrained policy is announced
    changed         values: the hyperparameters that changed
    saved           path: a checkpoint was written
    log             message: a line for the node's log
    end             steps, seconds, stopped; also policy, the path of the file, if it is announced
    error           message: training is refused or has failed
"""

import contextlib
import dataclasses
import json
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from velora_ros.errors import MissingDependencyError, VeloraError
from velora_ros.gym import check_statistics, disturb, make
from velora_ros.gym.describe_env_errors import closing
from velora_ros.nodes.trainer.cpu_share import leave_cpus, lower_priority
from velora_ros.nodes.trainer.event_reporter import EventReporter, EventWriter
from velora_ros.nodes.trainer.pause_save_stop import TrainingRequests
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.evaluation import evaluate
from velora_ros.training.hyperparameters import LIVE, TrainConfig
from velora_ros.training.records import TrainResult
from velora_ros.training.runs.config import RunConfig, describe
from velora_ros.training.runs.folder import RunFolder, opened
from velora_ros.training.runs.paths import RunPaths
from velora_ros.training.runs.start_from_file import OF_THE_ACTOR, OF_THE_CRITIC, StartFile
from velora_ros.utils import set_seed
from velora_ros.utils.dependencies import how_to_install
from velora_ros.utils.slow_steps import listen_to_slow_steps

if TYPE_CHECKING:
    from velora_ros.models import LiquidDDPG

Job = Mapping[str, Any]


def main() -> int:
    """Train as the job in the first line of standard input demands; return the exit status."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the node gets Ctrl-C and a closed terminal too, and sends `stop`
    events = EventWriter(os.fdopen(os.dup(1), 'w', buffering=1))
    os.dup2(2, 1)  # other output must not come between the events
    logging.basicConfig(level=logging.INFO, handlers=[_EventLog(events)], format='%(message)s')
    requests = TrainingRequests(events)
    job = json.loads(sys.stdin.readline() or '{}')
    threading.Thread(target=requests.listen, args=(sys.stdin,), daemon=True).start()
    try:
        with listen_to_slow_steps(lambda text: events.write('log', message=text)):
            train(job, events, requests)
    except VeloraError as error:
        requests.begin()  # after this, no request may end the process before the error is written
        events.write('error', message=str(error))
        return 1
    except BrokenPipeError:  # the node was killed
        return 1
    return 0


class _EventLog(logging.Handler):
    """Writes the log of this process as events, so that it appears in the node's log."""

    def __init__(self, events: EventWriter) -> None:
        super().__init__()
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        self._events.write('log', message=self.format(record))


def train(job: Job, events: EventWriter, requests: TrainingRequests) -> None:
    """
    Train as the job demands, and write the best policy.

    Args:
        job: from :func:`velora_ros.nodes.trainer.job.make_job`.
        events: writes the events.
        requests: the requests of the node.

    Raises:
        VeloraError: the environment, a hyperparameter or a file cannot be used, or torch is missing.
    """
    leave_cpus(job.get('spare_cpus', 0))  # before the physics starts its threads
    config = _hyperparameters(job)
    announce_untrained = job['announce_untrained'] and not job['resume']
    if not announce_untrained:
        lower_priority(job['nice'])
    with contextlib.ExitStack() as stack:
        env = stack.enter_context(closing(_make_environment(job, config)))
        check_statistics(env)
        model = _make_model(job, env, config)
        trained_in = stack.enter_context(_training_environment(job, env, config))
        rival = _evaluate_rival(job, config, model, events) if job['rival'] else -math.inf
        requests.begin()
        with _open_run(job, env, model, config) as run:
            run.on_checkpoint = lambda path: events.write('saved', path=str(path))
            requests.run = run
            reporter = EventReporter(
                events,
                model,
                run,
                rival=rival,
                announced=job.get('announced'),
                announce_untrained=announce_untrained,
                niceness=job['nice'],
            )
            result: TrainResult = model.train(
                trained_in,
                **config.train_arguments(),
                total_steps=job['total_steps'],
                run_dir=run,
                callbacks=[reporter, requests],
                progress=False,
            )
        _write_result(job, run, result, events, announce=rival == -math.inf)


def _hyperparameters(job: Job) -> TrainConfig:
    """Return the hyperparameters; the file ``start_from`` determines some of them, also when its run is resumed."""
    config, paths = TrainConfig.from_dict(job['config']), RunPaths(job['run_dir'])
    if job['resume'] and paths.holds_run:
        started = RunConfig.load(paths.config)
        settled = (*OF_THE_ACTOR, *OF_THE_CRITIC) if started.start_from else ()
        return dataclasses.replace(config, **{name: getattr(started.hyperparameters, name) for name in settled})
    if job.get('start_from'):
        return dataclasses.replace(config, **StartFile.load(job['start_from']).fixed)
    return config


def _make_environment(job: Job, config: TrainConfig) -> Any:
    return disturb(make(job['env'], **job.get('env_args', {})), config.disturbances())


@contextlib.contextmanager
def _training_environment(job: Job, env: Any, config: TrainConfig) -> Iterator[Any]:
    """Yield the training environment, or a vector of environments, which is closed afterwards."""
    from velora_ros.models.run_from_config import make_training_environment  # noqa: PLC0415 - it loads torch

    trained_in = make_training_environment(_run_config(job, config), env)
    with contextlib.nullcontext() if trained_in is env else closing(trained_in):
        yield trained_in


def _make_model(job: Job, env: Any, config: TrainConfig) -> 'LiquidDDPG':
    set_seed(job['seed'])  # raises the right error if torch is missing
    try:
        from velora_ros.models.run_from_config import make_model  # noqa: PLC0415 - torch takes seconds to load
    except ImportError as error:
        raise MissingDependencyError(
            f'training needs {error.name}, which is not installed. {how_to_install("train")}'
        ) from error
    return make_model(_run_config(job, config), env, fresh=not job['resume'])


def _run_config(job: Job, config: TrainConfig) -> RunConfig:
    given = {'env_args': job.get('env_args', {}), 'start_from': job.get('start_from') or None}
    return RunConfig(
        env=job['env'], seed=job['seed'], hyperparameters=config, device=job.get('device', 'cpu'),
        total_steps=job['total_steps'], num_envs=job.get('num_envs', 1), **given,
    )  # fmt: skip


def _evaluate_rival(job: Job, config: TrainConfig, model: 'LiquidDDPG', events: EventWriter) -> float:
    """Return the mean return of the rival policy, evaluated like the policies that are trained."""
    path = job['rival']
    with closing(_make_environment(job, config)) as env:
        seed = model.agent.streams.evaluation_seed
        max_steps = config.longest_evaluation
        result = evaluate(Policy.load(path), env, episodes=config.eval_episodes, seed=seed, max_steps=max_steps)
    events.write('log', message=f"policies are announced if their return is above {path}'s, which is {result.mean:.1f}")
    return result.mean


@contextlib.contextmanager
def _open_run(job: Job, env: Any, model: 'LiquidDDPG', config: TrainConfig) -> Iterator[RunFolder]:
    """Open the run's folder; to resume a run, the job must be the one that started it, except for live parameters."""
    paths = RunPaths(job['run_dir'])
    resume = job['resume'] and paths.holds_run  # a process that died before the run began left nothing to resume
    if resume:
        started = RunConfig.load(paths.config).hyperparameters
        config = dataclasses.replace(config, **{name: getattr(started, name) for name in LIVE})
    budget = {'total_steps': job['total_steps'], 'control_period': None, 'device': str(model.device)}
    budget |= {'env_args': job.get('env_args', {}), 'start_from': job.get('start_from') or None}
    budget |= {'num_envs': job.get('num_envs', 1)}
    description = describe(env, model.arguments(), config, seed=job['seed'], **budget)
    with opened(paths.folder, description, resume=resume, seed=job['seed']) as run:
        assert run is not None
        yield run


def _write_result(job: Job, run: RunPaths, result: TrainResult, events: EventWriter, *, announce: bool) -> None:
    """Write the best policy, or the last one if there was no evaluation, to ``out``, and write the event ``end``."""
    best = run.best_policy if result.best_policy is not None else run.last_policy
    if job['out']:
        PolicyFile.load(best).save(job['out'])
    announced = {'policy': str(best)} if announce and result.best_policy is None else {}
    events.write('end', steps=result.steps, seconds=result.seconds, stopped=result.stopped, **announced)


if __name__ == '__main__':
    sys.exit(main())
