"""One call to ``LiquidDDPG.train``, from checking its arguments to the training loop."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import torch
from gymnasium.vector import VectorEnv

from velora_ros.errors import ConfigError, DivergenceError, StorageError, UnsupportedEnvironmentError
from velora_ros.gym import check_env, check_reward, check_statistics, flat, spec_from_env
from velora_ros.gym.describe_env_errors import close
from velora_ros.models.agent import DDPGAgent
from velora_ros.models.random_streams import Streams
from velora_ros.models.threads_and_denormals import single_thread
from velora_ros.replay_buffers.replay_memory import check_fits
from velora_ros.training import (
    Callback,
    EvaluateIn,
    RunFolder,
    RunState,
    TrainConfig,
    TrainingLoop,
    TrainResult,
    agent_file,
)
from velora_ros.training.evaluation_env import evaluation_environment, evaluation_environment_of
from velora_ros.training.hyperparameters import DefaultEpisodes, is_number
from velora_ros.training.loop_base import RunOptions
from velora_ros.training.numpy_view import numpy_view
from velora_ros.training.progress_bar import ProgressBar
from velora_ros.training.runs import checkpoint as checkpoint_file
from velora_ros.training.runs.best_and_last_policy import KeptPolicies
from velora_ros.training.runs.checkpoint import Checkpoint
from velora_ros.training.runs.checkpoint_schedule import EVERY_STEPS, Checkpoints
from velora_ros.training.runs.config import RunConfig, describe, keywords_of
from velora_ros.training.runs.csv_tables import LearningCurve
from velora_ros.training.runs.folder import RunDir, opened
from velora_ros.training.runs.provenance import record_start
from velora_ros.training.runs.resume import check_environment, newest_checkpoint, spec_of_resumed, what_is_kept
from velora_ros.training.runs.tensorboard import tensorboard_events
from velora_ros.training.vector_env_checks import check_vector
from velora_ros.training.vector_env_loop import VectorTrainingLoop
from velora_ros.utils.output import write_line

Env = gymnasium.Env[Any, Any]


class Model(Protocol):
    """A model that can be trained, such as ``LiquidDDPG``; it contains the agent."""

    agent: DDPGAgent
    device: torch.device

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments, JSON-ready."""
        ...

    def become(self, arguments: Mapping[str, Any]) -> None:
        """Replace the agent with a new agent made with these constructor arguments."""
        ...


@dataclass(frozen=True)
class Call:
    """The arguments of ``LiquidDDPG.train`` that are not hyperparameters; ``train`` documents them."""

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
    vector: VectorEnv[Any, Any, Any] | None = None
    """The vector to train in instead of ``env``, which then represents each of its environments."""

    def __post_init__(self) -> None:
        steps = self.total_steps
        if steps is not None:
            if not is_number(steps, int) or steps < 1:
                raise ConfigError(f'total_steps is {steps!r}; it must be a positive integer, or None for no limit.')
            object.__setattr__(self, 'total_steps', int(steps))

    @property
    def resumes(self) -> bool:
        """Whether an existing run is resumed."""
        return self.resume or (isinstance(self.run_dir, RunFolder) and self.run_dir.resumed)


def train(model: Model, config: TrainConfig, call: Call) -> TrainResult:
    """
    Train a model; a resumed run replaces the model's agent.

    Raises:
        VeloraError: see ``LiquidDDPG.train``.
    """
    vector = call.vector
    if call.total_steps is not None and isinstance(config.n_episodes, DefaultEpisodes):
        config = dataclasses.replace(config, n_episodes=call.total_steps)  # no limit: an episode has at least one step
    # Everything that was given is checked before anything is written.
    _check_callbacks(call.callbacks)
    _check_environments(call)
    if vector is not None:
        check_vector(vector, config)
    env = numpy_view(call.env)
    if not call.resumes:
        model.agent.set_streams(0 if vector is None else vector.num_envs)
        model.agent.adopt(env, spec_from_env(env, call.control_period))
        model.agent.check_start_up(config.start_steps)
        buffer = model.agent.buffer
        check_fits(buffer.rows, len(buffer), math.inf if call.total_steps is None else call.total_steps)
    with contextlib.ExitStack() as stack:
        stack.enter_context(single_thread())
        description = _description(model, env, config, call, num_envs=1 if vector is None else vector.num_envs)
        folder = stack.enter_context(opened(call.run_dir, description, resume=call.resume, seed=call.seed))
        # The agent: as it is, or from the newest checkpoint.
        checkpoint = None
        if folder is not None and folder.resumed:
            checkpoint = _restore(model, folder)
            _adopt_again(model.agent, env, call.control_period, folder)
        elif folder is not None and folder.started_with.env_kwargs is None:  # the command line has only the name
            folder.change(env_kwargs=keywords_of(env))
        agent = model.agent
        if call.seed is not None and checkpoint is None:
            agent.streams = Streams(call.seed)
        agent.configure(config)
        agent.provenance['train'] = {**config.train_arguments(), 'total_steps': call.total_steps}
        if folder is not None:
            record_start(folder.provenance, from_step=agent.steps, now=time.time())
        agent.compile()
        if call.progress:
            write_line(str(agent.backend_choice))
            if vector is not None:
                write_line(f'{vector.num_envs} environments act at once; steps are counted over all of them')
        # The environment of the evaluations, and the callbacks.
        eval_env = stack.enter_context(_evaluation_environment(config, call))
        stack.enter_context(_explained(folder))
        if checkpoint is not None:
            checkpoint.restore_global_random()  # after everything is made, because making it may draw random numbers
        assert agent.spec is not None
        options = RunOptions(
            seed=agent.streams.run_seed,
            eval_seed=agent.streams.evaluation_seed,
            total_steps=call.total_steps,
            begins_trained=agent.began_from_file,
            eval_env=eval_env,
            callbacks=_callbacks(model, config, call, folder),
            privileged_dim=agent.privileged_dim,
            steps_before=agent.steps,
            episodes_before=agent.episodes,
            resumed=None if checkpoint is None else checkpoint.state,
        )
        if vector is not None:
            return VectorTrainingLoop(agent, vector, agent.spec, config, options).run()
        return TrainingLoop(agent, env, agent.spec, config, options).run()


def _check_callbacks(callbacks: Any) -> None:
    """Check that ``callbacks`` is a list of this package's callbacks, and not of another library's callbacks."""
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


def _check_environments(call: Call) -> None:
    """Check the environments: an evaluation in the training environment would reset it in the middle of an episode."""
    check_env(flat(call.env))
    check_reward(call.env)
    check_statistics(call.env)
    others = [('eval_env', call.eval_env)] if call.eval_env is not None else []
    others += [('the env of EvaluateIn', one.env) for one in call.callbacks if isinstance(one, EvaluateIn)]
    for name, other in others:
        check_env(flat(other))
        check_statistics(other)
        if other.unwrapped is call.env.unwrapped:
            raise ConfigError(
                f'{name} is the training environment, which an evaluation would reset in the middle of an episode; '
                'make a second environment.'
            )


def _description(model: Model, env: Env, config: TrainConfig, call: Call, *, num_envs: int) -> RunConfig:
    """Return the configuration with which the run is started or resumed."""
    return describe(
        env,
        model.arguments(),
        config,
        seed=model.agent.streams.run_seed if call.seed is None else Streams(call.seed).run_seed,
        total_steps=call.total_steps,
        control_period=None if call.control_period is None else float(call.control_period),
        device=str(model.device),
        num_envs=num_envs,
    )


def _restore(model: Model, folder: RunFolder) -> Checkpoint | None:
    """Restore the newest checkpoint into the model and return it; None if there is none and the run starts over."""
    checkpoint = newest_checkpoint(folder)
    if checkpoint is not None:
        arguments = dict(checkpoint.values['arguments'])
        if (name := arguments.pop('optim')) != model.arguments()['optim']:
            raise ConfigError(f"the run in '{folder.folder}' uses the optimiser {name}; pass optim={name}.")
        model.become(arguments)
        agent_file.restore(model.agent, checkpoint.tensors, checkpoint.values)
    elif model.agent.steps or model.agent.streams.run_seed != folder.started_with.seed:
        raise ConfigError(
            f"the run in '{folder.folder}' ended before its first checkpoint, so it can only be resumed with a new "
            f'agent with seed {folder.started_with.seed}; use such an agent, or start a run in another folder.'
        )
    return checkpoint


def _adopt_again(agent: DDPGAgent, env: Env, control_period: float | None, folder: RunFolder) -> None:
    """Give the agent of a resumed run its environment, which must equal its earlier training environment."""
    spec = spec_of_resumed(agent.spec, env, control_period)
    check_environment(env, spec, folder, known=agent.spec, environment=agent.environment)
    agent.adopt(env, spec)


def _callbacks(model: Model, config: TrainConfig, call: Call, folder: RunFolder | None) -> Sequence[Callback]:
    """Return all callbacks; checkpoints come last, because they include the state of the others."""
    for callback in call.callbacks:
        _give_model(callback, model)
    shown = [ProgressBar(config.window_size)] if call.progress else []
    if folder is None:
        return [*shown, *call.callbacks]

    def write(path: Path, state: RunState) -> None:
        checkpoint_file.write(path, model.agent, model.arguments(), state)  # arguments: learning rates may have changed

    streams = 1 if call.vector is None else call.vector.num_envs
    checkpoints = Checkpoints(
        folder,
        write,
        every=call.checkpoint_every,
        keep=call.keep_checkpoints,
        every_steps=EVERY_STEPS * streams,
    )
    written = [LearningCurve(folder), KeptPolicies(folder, model.agent.policy_file), *tensorboard_events(folder)]
    return [*shown, *written, *call.callbacks, checkpoints]


def _give_model(callback: Callback, model: Model) -> None:
    """Set ``callback.model``, unless the callback uses this attribute for something else."""
    own = getattr(callback, 'model', None)
    if own is None or isinstance(own, type(model)):
        with contextlib.suppress(AttributeError):  # the callback has a property of this name, or __slots__
            callback.model = model


@contextlib.contextmanager
def _evaluation_environment(config: TrainConfig, call: Call) -> Iterator[Env | None]:
    """Yield the environment of the evaluations; if it was made here, it is closed."""
    if call.eval_env is not None:
        yield numpy_view(call.eval_env)
        return
    own = None
    if config.eval_every:
        vector = call.vector
        own = evaluation_environment(call.env) if vector is None else evaluation_environment_of(vector, call.env)
    try:
        yield own
    finally:
        if own is not None:
            close(own)


@contextlib.contextmanager
def _explained(folder: RunFolder | None) -> Iterator[None]:
    """If the block fails, add to its error which results of the run are kept."""
    try:
        yield
    except (UnsupportedEnvironmentError, StorageError) as error:
        kept = '' if folder is None else what_is_kept(folder)
        raise type(error)(f'{error} {kept}'.rstrip()) from error
    except DivergenceError as error:  # after resuming, the run would diverge again
        kept = '' if folder is None else f"Everything saved before is kept in '{folder.folder}'."
        raise DivergenceError(f'{error} {kept}'.rstrip()) from error
