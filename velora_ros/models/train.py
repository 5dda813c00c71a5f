"""One call of ``LiquidDDPG.train``: environment, run folder and loop are brought together here."""

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium

from velora_ros.errors import ConfigError, DivergenceError, StorageError, UnsupportedEnvironmentError
from velora_ros.gym import check_env, check_reward, check_statistics, flat, spec_from_env
from velora_ros.gym.control_period import find_period
from velora_ros.gym.environment_errors import close
from velora_ros.models import resuming
from velora_ros.models.agent import DDPGAgent
from velora_ros.models.random_streams import Streams
from velora_ros.models.run_files import RunDir, callbacks_of, check_environment, describe, keywords_of, opened
from velora_ros.models.torch_settings import single_thread
from velora_ros.spec import PolicySpec
from velora_ros.training import Callback, EvaluateIn, LoopSettings, RunFolder, TrainConfig, TrainResult, run
from velora_ros.training.environments import evaluation_environment, numpy_view
from velora_ros.training.hyperparameters import DefaultEpisodes, is_number
from velora_ros.training.progress_bar import ProgressBar
from velora_ros.training.runs.provenance import record_start

if TYPE_CHECKING:
    from velora_ros.models.ddpg import LiquidDDPG

Env = gymnasium.Env[Any, Any]


@dataclass(frozen=True)
class Call:
    """What ``LiquidDDPG.train`` is given beside the hyperparameters; it explains them."""

    env: Env
    total_steps: int | None
    eval_env: Env | None
    callbacks: Sequence[Callback]
    seed: int | None
    control_period: float | None
    run_dir: RunDir | None
    resume: bool
    checkpoint_every: float
    keep_checkpoints: int
    progress: bool

    @property
    def resumes(self) -> bool:
        """Whether a run goes on that is there already."""
        return self.resume or (isinstance(self.run_dir, RunFolder) and self.run_dir.resumed)

    def __post_init__(self) -> None:
        steps = self.total_steps
        if steps is not None:
            if not is_number(steps, int) or steps < 1:
                raise ConfigError(f'total_steps is {steps!r}; it must be a positive integer, or None for no limit.')
            object.__setattr__(self, 'total_steps', int(steps))


def train(model: 'LiquidDDPG', config: TrainConfig, call: Call) -> TrainResult:
    """
    Train a model; a run that is resumed replaces its learner.

    Raises:
        VeloraError: as ``LiquidDDPG.train`` says.
    """
    if call.total_steps is not None and isinstance(config.n_episodes, DefaultEpisodes):
        config = dataclasses.replace(config, n_episodes=call.total_steps)  # no limit: an episode has at least one step
    _check_callbacks(call.callbacks)
    check_env(flat(call.env))  # before anything is asked of it: it may be none
    check_reward(call.env)
    check_statistics(call.env)
    _check_evaluations(call)
    env = numpy_view(call.env)
    if not call.resumes:
        model.agent.adopt(env, spec_from_env(env, call.control_period))  # refused before the folder is begun
        model.agent.check_start_up(config.start_steps)
    seed = model.agent.streams.run_seed if call.seed is None else Streams(call.seed).run_seed
    period = None if call.control_period is None else float(call.control_period)
    others = {'total_steps': call.total_steps, 'control_period': period, 'device': str(model.device)}
    description = describe(env, model.arguments(), config, seed=seed, **others)
    with contextlib.ExitStack() as stack:
        stack.enter_context(single_thread())
        folder = stack.enter_context(opened(call.run_dir, description, resume=call.resume, seed=call.seed))
        return _train(model, env, config, call, folder)


def _check_callbacks(callbacks: Any) -> None:
    """Refuse what is not a list of callbacks, one of another library for example, before anything is written."""
    if not isinstance(callbacks, list | tuple):
        raise ConfigError(
            f'callbacks is a {type(callbacks).__name__}; it must be a list of velora_ros.training.Callback.'
        )
    for callback in callbacks:
        if not callable(getattr(callback, 'on_train_start', None)):
            raise ConfigError(
                f'a callback is a {type(callback).__name__} of {type(callback).__module__}; it must be an object of a '
                'class derived from velora_ros.training.Callback (docs/callbacks.md).'
            )


def _check_evaluations(call: Call) -> None:
    """Refuse evaluations in the environment that is trained in: they would reset it in the middle of an episode."""
    others = [('eval_env', call.eval_env)] if call.eval_env is not None else []
    others += [('the env of EvaluateIn', one.env) for one in call.callbacks if isinstance(one, EvaluateIn)]
    for name, other in others:
        check_env(flat(other))
        check_statistics(other)
        if other.unwrapped is call.env.unwrapped:
            raise ConfigError(
                f'{name} is the environment that is trained in, which an evaluation would reset in the middle of an '
                'episode; make a second one.'
            )


def _train(model: 'LiquidDDPG', env: Env, config: TrainConfig, call: Call, folder: RunFolder | None) -> TrainResult:
    checkpoint = _go_on(model, folder) if folder is not None and folder.resumed else None
    learner = model.agent
    if folder is not None and folder.resumed:
        spec = _spec_of_resumed(learner, env, call.control_period)
        check_environment(learner, env, spec, folder)
        learner.adopt(env, spec)
    elif folder is not None and folder.started_with.env_kwargs is None:  # of a command line, say, that knows the name
        folder.change(env_kwargs=keywords_of(env))
    _configure(learner, config, call, resumed=checkpoint is not None)
    if folder is not None:
        record_start(folder.provenance, from_step=learner.steps, now=time.time())
    learner.warm_up()
    with _evaluations(config, call) as eval_env, _explained(folder):
        if checkpoint is not None:
            checkpoint.restore_global_random()  # after all that was made, which may have drawn
        return run(
            learner,
            env,
            model.spec,
            LoopSettings.of(
                config,
                call.total_steps,
                learner.streams.run_seed,
                learner.streams.evaluation_seed,
                knows=learner.began_from_file,
            ),
            eval_env=eval_env,
            callbacks=_callbacks(model, config, call, folder),
            privileged_dim=learner.privileged_dim,
            steps_before=learner.steps,
            episodes_before=learner.episodes,
            resumed=None if checkpoint is None else checkpoint.state,
        )


def _spec_of_resumed(learner: DDPGAgent, env: Env, control_period: float | None) -> PolicySpec:
    """
    Return the environment's spec for a run that goes on.

    Where the environment does not say its period by itself, the run keeps the one that it began with: earlier releases
    assumed 1 s for environments whose period is found today.
    """
    known = learner.spec
    if known is None or control_period is not None:
        return spec_from_env(env, control_period)
    with warnings.catch_warnings(action='ignore'):  # of an assumption that the run was warned of when it began
        found, assumed = find_period(env)
    spec = spec_from_env(env, known.control_period)
    differs = found != spec.control_period
    return dataclasses.replace(spec, control_period_assumed=known.control_period_assumed or assumed or differs)


def _go_on(model: 'LiquidDDPG', folder: RunFolder) -> resuming.Checkpoint | None:
    """Put the newest checkpoint into the model; None where there is none and the run begins again."""
    checkpoint = resuming.newest(folder)
    if checkpoint is not None:
        arguments = dict(checkpoint.arguments)
        if (name := arguments.pop('optim')) != model.agent.optim.__name__:
            raise ConfigError(f"the run in '{folder.folder}' uses the optimiser {name}; pass optim={name}.")
        twin = type(model)(**arguments, optim=model.agent.optim, device=model.device)
        checkpoint.restore(twin.agent)
        model.agent, model.seed = twin.agent, twin.seed
    elif model.agent.steps or model.agent.streams.run_seed != folder.started_with.seed:
        raise ConfigError(
            f"the run in '{folder.folder}' ended before its first checkpoint, and this agent is not the one it began "
            f'with (a fresh one of seed {folder.started_with.seed}); start a run in another folder.'
        )
    return checkpoint


def _configure(learner: DDPGAgent, config: TrainConfig, call: Call, *, resumed: bool) -> None:
    if call.seed is not None and not resumed:
        learner.streams = Streams(call.seed)
    learner.configure(config)
    learner.provenance['train'] = {**config.train_arguments(), 'total_steps': call.total_steps}


def _callbacks(model: 'LiquidDDPG', config: TrainConfig, call: Call, folder: RunFolder | None) -> Sequence[Callback]:
    for callback in call.callbacks:
        _give_model(callback, model)
    shown = [ProgressBar(config.window_size)] if call.progress else []
    if folder is None:
        return [*shown, *call.callbacks]
    writers, checkpoints = callbacks_of(
        folder, model.agent, model.arguments, every=call.checkpoint_every, keep=call.keep_checkpoints
    )
    return [*shown, *writers, *call.callbacks, checkpoints]  # last: what it writes is what the others have seen


def _give_model(callback: Callback, model: 'LiquidDDPG') -> None:
    """Set ``callback.model``; a callback that uses the name for something else keeps what it has."""
    own = getattr(callback, 'model', None)
    if own is None or isinstance(own, type(model)):
        with contextlib.suppress(AttributeError):  # a property of the callback's own, or __slots__
            callback.model = model


@contextlib.contextmanager
def _evaluations(config: TrainConfig, call: Call) -> Iterator[Env | None]:
    """Yield the environment of the evaluations; one that was made for them is closed."""
    if call.eval_env is not None:
        yield numpy_view(call.eval_env)
        return
    own = evaluation_environment(call.env) if config.eval_every else None
    try:
        yield own
    finally:
        if own is not None:
            close(own)


@contextlib.contextmanager
def _explained(folder: RunFolder | None) -> Iterator[None]:
    """Say, where a run fails, what of it is kept."""
    try:
        yield
    except (UnsupportedEnvironmentError, StorageError) as error:
        kept = '' if folder is None else resuming.what_is_kept(folder)
        raise type(error)(f'{error} {kept}'.rstrip()) from error
    except DivergenceError as error:  # resumed, the run would diverge again
        kept = '' if folder is None else f"What was saved until then stays in '{folder.folder}'."
        raise DivergenceError(f'{error} {kept}'.rstrip()) from error
