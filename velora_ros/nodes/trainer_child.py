"""
The child process of trainer_node: trains, and knows no ROS. Only here is torch imported.

Reads one line of JSON, the job, from standard input, and after it the words ``pause``, ``resume``, ``save`` and
``stop``, one a line; the input's end means that the parent is gone, and stops the training. Writes one line of JSON for
each event to standard output: ``episode``, ``evaluation``, ``saved``, ``end``, ``error``.
"""

import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from velora_ros.errors import MissingDependencyError, StorageError, VeloraError
from velora_ros.gym import disturb, make, spec_from_env
from velora_ros.policy import PolicyFile
from velora_ros.training.callbacks import Callback, StopTraining
from velora_ros.training.config import TrainConfig
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, TrainResult
from velora_ros.utils import set_seed

if TYPE_CHECKING:
    from velora_ros.models import LiquidDDPG

Emit = Callable[..., None]


class Orders(Callback):
    """Pauses and stops the training when the parent says so, and remembers that a checkpoint is wanted."""

    def __init__(self) -> None:
        self._go_on = threading.Event()
        self._go_on.set()
        self._stop = False
        self.save = False
        """Whether a checkpoint is wanted."""

    def listen(self, source: IO[str]) -> None:
        """Take orders until the source ends."""
        for line in source:
            self.take(line.strip())
        self.take('stop')

    def take(self, word: str) -> None:
        """Take one order."""
        self._stop |= word == 'stop'
        self.save |= word == 'save'
        if word == 'pause':
            self._go_on.clear()
        elif word in ('resume', 'stop'):
            self._go_on.set()

    def on_step(self, steps: int) -> None:
        """Wait while paused; stop if asked to."""
        self._go_on.wait()
        if self._stop:
            raise StopTraining('stopped on request')


class Reporter(Callback):
    """
    Tells the parent how it goes, writes each best policy as it is found, and checkpoints between two episodes.

    Args:
        emit: writes an event.
        out: the policy file.
        model: what is trained.
        checkpoint: where checkpoints go.
        orders: says when one is wanted.
    """

    def __init__(self, emit: Emit, out: Path, model: 'LiquidDDPG', checkpoint: Path, orders: Orders) -> None:
        self._emit = emit
        self._out = out
        self._model = model
        self._checkpoint = checkpoint
        self._orders = orders

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Report the episode; write a checkpoint if one is wanted."""
        self._emit('episode', **dataclasses.asdict(record))
        if self._orders.save:
            self._orders.save = False
            self._save()

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Write the policy if it is the best so far, and report."""
        if is_best:
            policy.save(self._out)
        best = {'policy': str(self._out)} if is_best else {}
        self._emit('evaluation', steps=record.steps, mean=record.result.mean, std=record.result.std, **best)

    def _save(self) -> None:
        try:
            self._model.save(self._checkpoint, buffer=True)
        except StorageError as error:
            self._emit('saved', error=str(error))
        else:
            self._emit('saved', path=str(self._checkpoint))


def train(job: Mapping[str, Any], emit: Emit, orders: Orders) -> None:
    """
    Train, and write the best policy.

    Args:
        job: env, seed, total_steps, run_dir, out, config (a dictionary of hyperparameters).
        emit: writes an event.
        orders: what the parent says meanwhile.

    Raises:
        VeloraError: the environment, a hyperparameter or a file is not as it must be, or torch is missing.
    """
    config, out, folder = TrainConfig.from_dict(job['config']), Path(job['out']), Path(job['run_dir'])
    env = disturb(make(job['env']), config.disturbances())
    for path in (out.parent, folder):
        _make_folder(path)
    model = _model(env, config, job['seed'])
    result: TrainResult = model.train(
        env,
        **config.train_arguments(),
        total_steps=job['total_steps'],
        run_dir=folder,
        callbacks=[Reporter(emit, out, model, folder / 'agent.safetensors', orders), orders],
        progress=False,
    )
    (result.best_policy or model.learner.policy_file()).save(out)
    best = {} if result.best_evaluation is None else {'mean': result.best_evaluation.result.mean}
    emit('end', policy=str(out), steps=result.steps, seconds=result.seconds, stopped=result.stopped, **best)


def _model(env: Any, config: TrainConfig, seed: int) -> 'LiquidDDPG':
    set_seed(seed)  # it says so where torch is missing
    try:
        from velora_ros.models import LiquidDDPG  # noqa: PLC0415 - torch takes seconds; a wrong job is refused before
    except ImportError as error:
        raise MissingDependencyError(
            f"training needs {error.name}, which is not installed: pip install 'velora_ros[train]'."
        ) from error
    spec, arguments = spec_from_env(env), config.agent_arguments()
    return LiquidDDPG(spec.observation_dim, arguments.pop('n_neurons'), spec.action_dim, **arguments, seed=seed)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder '{path}' cannot be made ({error.strerror}); choose a writable one.") from error


def main() -> int:
    """Train what the first line of standard input says; return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then says `stop`
    events = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # whatever else prints must not come between the events

    def emit(event: str, **values: Any) -> None:
        events.write(json.dumps({'event': event, **values}) + '\n')

    orders = Orders()
    job = json.loads(sys.stdin.readline() or '{}')
    threading.Thread(target=orders.listen, args=(sys.stdin,), daemon=True).start()
    try:
        train(job, emit, orders)
    except VeloraError as error:
        emit('error', message=str(error))
        return 1
    except BrokenPipeError:  # the parent was killed
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
