"""What ties a training to the folder of its run: opening it, going on from it, and what is written meanwhile."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from velora_ros.errors import ConfigError, SpecError
from velora_ros.gym import NamedFlatten
from velora_ros.gym.make_env import id_of, same_id
from velora_ros.models import resuming
from velora_ros.models.agent import DDPGAgent
from velora_ros.spec import PolicySpec
from velora_ros.training import Callback, RunConfig, RunFolder, TrainConfig
from velora_ros.training.environments import Env
from velora_ros.training.runs.checkpoint import Checkpoints
from velora_ros.training.runs.config import MAY_CHANGE
from velora_ros.training.runs.policies import KeptPolicies
from velora_ros.training.runs.tables import LearningCurve
from velora_ros.training.runs.tensorboard import tensorboard_events

RunDir = str | os.PathLike[str] | RunFolder
GIVEN_BY_MAKE = (PassiveEnvChecker, OrderEnforcing, TimeLimit, NamedFlatten)


def describe(env: Env, arguments: Mapping[str, Any], config: TrainConfig, **others: Any) -> RunConfig:
    """
    Return what a run is started with.

    Args:
        env: the environment.
        arguments: the agent's constructor arguments.
        config: the arguments of ``train``.
        **others: ``seed``, ``total_steps``, ``control_period``, ``device``, perhaps ``env_args`` and ``start_from``.
    """
    agent = {name: arguments[name] for name in config.agent_arguments()}
    return RunConfig(
        env=id_of(env),
        hyperparameters=dataclasses.replace(config, **agent),
        wrappers=tuple(_wrappers(env)),
        env_kwargs=keywords_of(env),
        **others,
    )


@contextlib.contextmanager
def opened(run_dir: RunDir | None, config: RunConfig, *, resume: bool, seed: int | None) -> Iterator[RunFolder | None]:
    """
    Open a run's folder for as long as the block lasts; one that is open already stays so.

    Args:
        run_dir: the folder; None: there is none.
        config: what the run is started with, or resumed with.
        resume: whether the run is there already.
        seed: the one that was asked for; None: a resumed run keeps its own.

    Raises:
        ConfigError: there is nothing to resume, or it was started with something else.
        StorageError: the folder cannot be written, is in use, or holds a run already.
    """
    if resume and run_dir is None:
        raise ConfigError('resume is True without run_dir; name the folder of the run.')
    if run_dir is None or isinstance(run_dir, RunFolder):
        yield run_dir
    elif not resume:
        with RunFolder.start(run_dir, config) as run:
            yield run
    else:
        with RunFolder.resume(run_dir) as run:
            given = {**dataclasses.asdict(config), **dataclasses.asdict(config.hyperparameters)}
            kept = {'seed': seed} if seed is not None else {}
            skipped = {
                'seed',
                'flags',
                'hyperparameters',
                'env_kwargs',
                'env_args',
                'start_from',
            }  # see check_environment
            if same_id(config.env, run.started_with.env):
                skipped.add('env')
            run.started_with.refuse_differences(
                {name: value for name, value in given.items() if name not in skipped} | kept, run.folder
            )
            run.change(**{name: given[name] for name in MAY_CHANGE})
            yield run


def check_environment(learner: DDPGAgent, env: Env, spec: PolicySpec, run: RunFolder) -> None:
    """
    Compare the environment to the one that a run was trained in.

    Raises:
        SpecError: it is another one.
    """
    known, name = learner.spec, id_of(env)
    keywords, given = run.started_with.env_kwargs, keywords_of(env)
    if keywords is not None and (other := _first_difference(keywords, given)):
        made = [f'{other}={one[other]!r}' if other in one else f'no {other}' for one in (keywords, given)]
        raise SpecError(
            f"the run in '{run.folder}' was started in an environment made with {made[0]}, this one has {made[1]}; "
            'resume it with the environment it was started with.'
        )
    if known is None:
        return
    # Runs of older versions do not say that their period was assumed.
    known = dataclasses.replace(known, control_period_assumed=spec.control_period_assumed).with_actions_of(spec)
    if not same_id(learner.environment, name):
        differs = f'was trained in {learner.environment or "an environment without an id"}, this is {name or "one"}'
    elif known != spec:
        field, before, now = known.differences(spec)[0]
        differs = f'was trained with {field} {before}, this environment has {now}'
    else:
        return
    raise SpecError(f"the run in '{run.folder}' {differs}; resume it with the environment it was started with.")


def callbacks_of(
    run: RunFolder, learner: DDPGAgent, arguments: Callable[[], dict[str, Any]], *, every: float, keep: int
) -> tuple[Sequence[Callback], Checkpoints]:
    """
    Return what writes into the folder: tables, policies and events as things happen, and the checkpoints.

    Args:
        run: the folder.
        learner: the agent.
        arguments: returns the agent's constructor arguments as they are now, JSON-ready.
        every: least seconds between two checkpoints.
        keep: how many of them stay.
    """

    def write(path: Path, state: Any) -> None:
        resuming.write(path, learner, arguments(), state)  # now: learning rates may have changed since the start

    first = [LearningCurve(run), KeptPolicies(run, learner.policy_file), *tensorboard_events(run)]
    return first, Checkpoints(run, write, every=every, keep=keep)


def keywords_of(env: Env) -> dict[str, Any]:
    """
    Return the keywords that an environment was made with, as JSON gives them back; what it cannot hold is left out.

    How it is looked at makes no other environment, so ``render_mode`` is left out too.
    """
    keywords: dict[str, Any] = {}
    for name, value in ({} if env.spec is None else env.spec.kwargs).items():
        if name != 'render_mode':
            with contextlib.suppress(TypeError, ValueError, AttributeError):
                keywords[name] = json.loads(json.dumps(value, default=_plain, allow_nan=False))
    return keywords


def _plain(value: Any) -> Any:
    """Return numpy's values as Python's, for JSON; nothing else has ``tolist``."""
    return value.tolist()


def _first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    absent = object()
    return next((name for name in {**one, **other} if one.get(name, absent) != other.get(name, absent)), None)


def _wrappers(env: Any) -> Iterator[str]:
    """Yield the names of the wrappers that ``gymnasium.make`` does not add by itself, innermost first."""
    if isinstance(env, gymnasium.Wrapper):
        yield from _wrappers(env.env)
        if not isinstance(env, GIVEN_BY_MAKE):
            yield type(env).__name__
