"""
The child process of trainer_node: trains, and knows no ROS. Only here is torch imported.

Reads one line of JSON, the job, from standard input, and after it orders, one a line: ``pause``, ``resume``, ``save``,
``stop``, and ``set {"noise_scale": 0.1}`` for what changes with the next episode. The input's end means that the parent
is gone, and stops the training. Writes one line of JSON for each event to standard output: ``alive``, ``episode``,
``diagnostics``, ``evaluation``, ``policy``, ``changed``, ``saved``, ``end``, ``error``.
"""

import contextlib
import dataclasses
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from velora_ros.errors import MissingDependencyError, VeloraError
from velora_ros.gym import check_statistics, disturb, make, spec_from_env
from velora_ros.gym.environment_errors import closing
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.callbacks import LIVE, Callback, StopTraining
from velora_ros.training.diagnostics import DiagnosticsRecord
from velora_ros.training.evaluation import evaluate
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.loop import AS_GOOD
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import RunPaths
from velora_ros.training.runs.start_file import OF_THE_ACTOR, OF_THE_CRITIC, StartFile
from velora_ros.utils import atomic_write, how_to_install, listen_to_slow_steps, set_seed

if TYPE_CHECKING:
    from velora_ros.models import LiquidDDPG

Emit = Callable[..., None]

PULSE_S = 0.5
"""A training at work says so at least this often, unless an evaluation takes longer."""
STOPPED = 'stopped on request'


class Orders(Callback):
    """
    Pauses, stops and changes the training when the parent says so, and says that it is alive.

    Args:
        emit: writes an event.
        leave: called by a stop that comes before :meth:`begin`.
    """

    def __init__(self, emit: Emit, leave: Callable[[], object]) -> None:
        self._emit, self._leave = emit, leave
        self._beginning = threading.Lock()
        self._begun = False
        self._go_on = threading.Event()
        self._go_on.set()
        self._stop = False
        self._changing = threading.Lock()  # orders come on a thread of their own
        self._changes: dict[str, float] = {}
        self._said = -PULSE_S
        self._said_steps = 0
        self._save = False
        self.run: RunFolder | None = None
        """Where checkpoints are written; known when training begins."""

    def listen(self, source: IO[str]) -> None:
        """Take orders until the source ends."""
        for line in source:
            self.take(line.strip())
        self.take('stop')

    def begin(self) -> None:
        """Note that from now on there is something to keep: a stop has to wait for the training to end in order."""
        with self._beginning:
            self._begun = True

    def take(self, order: str) -> None:
        """Take one order."""
        word, _, values = order.partition(' ')
        with self._beginning:
            self._stop |= word == 'stop'
            if self._stop and not self._begun:
                self._leave()
        self._save |= word == 'save'
        if word == 'set':
            changes = json.loads(values)
            with self._changing:
                self._changes |= changes
        elif word == 'pause':
            self._go_on.clear()
        elif word in ('resume', 'stop'):
            self._go_on.set()

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Stop if asked to already."""
        if self._stop:
            raise StopTraining(STOPPED, by='request')

    def on_episode_start(self) -> Mapping[str, float]:
        """Return the changes that were ordered since the last episode began."""
        with self._changing:
            changes, self._changes = self._changes, {}
        if changes:
            self._emit('changed', values=changes)
        return changes

    def on_step(self, steps: int) -> None:
        """Wait while paused; stop if asked to."""
        now = time.monotonic()
        if now - self._said >= PULSE_S:
            speed = (steps - self._said_steps) / (now - self._said) if self._said > 0 else 0.0
            self._emit('alive', steps=steps, steps_per_s=speed)
            self._said, self._said_steps = now, steps
        while not self._go_on.wait(PULSE_S):
            self._emit('alive', steps=steps, steps_per_s=0.0)
        if self._save and self.run is not None:
            self._save, self.run.checkpoint_wanted = False, True
        if self._stop:
            raise StopTraining(STOPPED, by='request')


class Reporter(Callback):
    """
    Tells the parent how it goes.

    Args:
        emit: writes an event.
        model: what is trained.
        run: where its files are.
        rival: mean return that a policy must surpass to be announced.
        announced: mean return of the best policy that an earlier process of this run has announced. What is worse by
            more than a thousandth is not announced, and does not take the place of that policy's file, though the
            newest checkpoint may be older than it. None: there is none.
        announce_untrained: announce the policy before training as well.
        niceness: how far to step back for others from then on; before, a robot waits.
    """

    def __init__(
        self,
        emit: Emit,
        model: 'LiquidDDPG',
        run: RunPaths,
        *,
        rival: float,
        announced: float | None = None,
        announce_untrained: bool,
        niceness: int,
    ) -> None:
        self._emit, self._model, self._run = emit, model, run
        self._rival, self._announce_untrained, self._niceness = rival, announce_untrained, niceness
        self._announced = -math.inf if announced is None else announced
        self._better: bytes | None = None
        if announced is not None:
            with contextlib.suppress(OSError):
                self._better = run.best_policy.read_bytes()

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Hand out the untrained policy if it is wanted."""
        if self._announce_untrained:
            path = self._run.policies / 'untrained.safetensors'
            self._model.agent.policy_file().save(path)
            self._emit('policy', what='the untrained policy', policy=str(path))
            os.nice(self._niceness)

    def on_resume(self, state: RunState) -> None:
        """Keep the file of a better policy than the checkpoint knows."""
        best = state.result.best_evaluation
        if best is None or best.result.mean < self._least:
            self._put_back()
        else:
            self._better = None

    @property
    def _least(self) -> float:
        """Mean return from which on a policy is as good as what was announced."""
        return self._announced - (AS_GOOD * abs(self._announced) if math.isfinite(self._announced) else 0.0)

    def _put_back(self) -> None:
        """Write the announced policy again, after a worse one has taken its place."""
        if self._better is not None:
            with atomic_write(self._run.best_policy) as file:
                file.write(self._better)

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Report the episode."""
        self._emit('episode', **dataclasses.asdict(record))

    def on_diagnostics(self, record: DiagnosticsRecord) -> None:
        """Report how learning goes, as far as there was something to measure."""
        self._emit('diagnostics', **{name: value for name, value in record.values.items() if math.isfinite(value)})

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Report the evaluation; what is the best so far is announced."""
        mean = record.result.mean
        if is_best and mean < self._least:
            is_best = False
            self._put_back()
        elif is_best:
            self._better = None
        announced = {'policy': str(self._run.best_policy)} if is_best and mean > self._rival else {}
        self._emit('evaluation', steps=record.steps, mean=mean, std=record.result.std, best=is_best, **announced)


def train(job: Mapping[str, Any], emit: Emit, orders: Orders) -> None:
    """
    Train, and write the best policy.

    Args:
        job: env, env_args, start_from, device, seed, total_steps, run_dir, resume, out, rival, announce_untrained,
            nice, config (a dictionary of hyperparameters).
        emit: writes an event.
        orders: what the parent says meanwhile.

    Raises:
        VeloraError: the environment, a hyperparameter or a file is not as it must be, or torch is missing.
    """
    config = _config(job)
    announce_untrained = job['announce_untrained'] and not job['resume']
    if not announce_untrained:
        os.nice(job['nice'])
    with closing(_environment(job, config)) as env:
        check_statistics(env)
        model = _model(env, config, job)
        rival = _return_of(job['rival'], config, model, job, emit) if job['rival'] else -math.inf
        orders.begin()
        with _opened(job, env, model, config) as run:
            run.on_checkpoint = lambda path: emit('saved', path=str(path))
            orders.run = run
            reporter = Reporter(
                emit,
                model,
                run,
                rival=rival,
                announced=job.get('announced'),
                announce_untrained=announce_untrained,
                niceness=job['nice'],
            )
            result: TrainResult = model.train(
                env,
                **config.train_arguments(),
                total_steps=job['total_steps'],
                run_dir=run,
                callbacks=[reporter, orders],
                progress=False,
            )
        _conclude(result, job, run, emit, announce=rival == -math.inf)


@contextlib.contextmanager
def _opened(job: Mapping[str, Any], env: Any, model: 'LiquidDDPG', config: TrainConfig) -> Iterator[RunFolder]:
    """Open the run's folder; one that is resumed is compared to the job, except for what may change at any time."""
    from velora_ros.models.run_files import describe, opened  # noqa: PLC0415 - torch is there by now

    paths = RunPaths(job['run_dir'])
    resume = job['resume'] and paths.holds_run  # a process that died before there was a run has nothing to resume
    if resume:
        started = RunConfig.load(paths.config).hyperparameters
        config = dataclasses.replace(config, **{name: getattr(started, name) for name in LIVE})
    budget = {'total_steps': job['total_steps'], 'control_period': None, 'device': str(model.device)}
    budget |= {'env_args': job.get('env_args', {}), 'start_from': job.get('start_from') or None}
    description = describe(env, model.arguments(), config, seed=job['seed'], **budget)
    with opened(paths.folder, description, resume=resume, seed=job['seed']) as run:
        assert run is not None
        yield run


def _conclude(result: TrainResult, job: Mapping[str, Any], run: RunPaths, emit: Emit, *, announce: bool) -> None:
    """Write the best policy where else it is wanted; a run without evaluations has its last one only."""
    best = run.best_policy if result.best_policy is not None else run.last_policy
    if job['out']:
        PolicyFile.load(best).save(job['out'])
    announced = {'policy': str(best)} if announce and result.best_policy is None else {}
    emit('end', steps=result.steps, seconds=result.seconds, stopped=result.stopped, **announced)


def _config(job: Mapping[str, Any]) -> TrainConfig:
    """Return the hyperparameters; a run that began from a file and is resumed keeps those that the file settled."""
    config, paths = TrainConfig.from_dict(job['config']), RunPaths(job['run_dir'])
    if job['resume'] and paths.holds_run and (started := RunConfig.load(paths.config)).start_from:
        kept = {name: getattr(started.hyperparameters, name) for name in (*OF_THE_ACTOR, *OF_THE_CRITIC)}
        return dataclasses.replace(config, **kept)
    return config


def _environment(job: Mapping[str, Any], config: TrainConfig) -> Any:
    return disturb(make(job['env'], **job.get('env_args', {})), config.disturbances())


def _return_of(path: str, config: TrainConfig, model: 'LiquidDDPG', job: Mapping[str, Any], emit: Emit) -> float:
    """Return the mean return of a policy in the very evaluation that the trained ones go through."""
    with closing(_environment(job, config)) as env:
        seed = model.agent.streams.evaluation_seed
        max_steps = config.longest_evaluation
        result = evaluate(Policy.load(path), env, episodes=config.eval_episodes, seed=seed, max_steps=max_steps)
    emit(
        'told',
        message=f'only what does better than a return of {result.mean:.1f} is announced, which is that of {path}',
    )
    return result.mean


def _model(env: Any, config: TrainConfig, job: Mapping[str, Any]) -> 'LiquidDDPG':
    seed, device = job['seed'], job.get('device', 'cpu')
    set_seed(seed)  # it says so where torch is missing
    try:
        from velora_ros.models import LiquidDDPG  # noqa: PLC0415 - torch takes seconds; a wrong job is refused before
    except ImportError as error:
        raise MissingDependencyError(
            f'training needs {error.name}, which is not installed. {how_to_install("train")}'
        ) from error
    arguments, provenance = config.agent_arguments(), {'env_args': job['env_args']} if job.get('env_args') else {}
    if job.get('start_from') and not (job['resume'] and not Path(job['start_from']).exists()):
        fixed = StartFile.load(job['start_from']).fixed  # the node cannot tell what was asked for from its defaults
        others = {name: value for name, value in arguments.items() if name not in fixed}
        model = LiquidDDPG.from_policy(job['start_from'], **others, device=device, seed=seed)
    else:
        spec = spec_from_env(env)
        n_neurons = arguments.pop('n_neurons')
        model = LiquidDDPG(spec.observation_dim, n_neurons, spec.action_dim, **arguments, device=device, seed=seed)
    model.agent.provenance |= provenance
    return model


def main() -> int:
    """Train what the first line of standard input says; return the exit status."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C and a closed terminal are the parent's, which then says `stop`
    events = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # whatever else prints must not come between the events

    def emit(event: str, **values: Any) -> None:
        events.write(json.dumps({'event': event, **values}) + '\n')

    def leave() -> None:
        """End at once: loading torch, or a rival's evaluation, would take longer than the parent waits."""
        with contextlib.suppress(BrokenPipeError):
            emit('end', steps=0, seconds=0.0, stopped=f'{STOPPED} before it began')
        os._exit(0)

    orders = Orders(emit, leave)
    job = json.loads(sys.stdin.readline() or '{}')
    threading.Thread(target=orders.listen, args=(sys.stdin,), daemon=True).start()
    try:
        with listen_to_slow_steps(lambda text: emit('told', message=text)):
            train(job, emit, orders)
    except VeloraError as error:
        orders.begin()  # this is the last word, whatever is ordered now
        emit('error', message=str(error))
        return 1
    except BrokenPipeError:  # the parent was killed
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
