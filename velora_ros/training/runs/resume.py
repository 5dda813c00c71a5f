"""Resuming a run: find its newest intact checkpoint, and check that the environment is the same as before."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import gymnasium

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.gym import spec_from_env
from velora_ros.gym.control_period import find_period
from velora_ros.gym.make_env import id_of, same_id
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_file import DamagedFileError
from velora_ros.training.runs.checkpoint import Checkpoint, read
from velora_ros.training.runs.config import keywords_of
from velora_ros.training.runs.folder import RunFolder
from velora_ros.training.runs.paths import checkpoint_files

Env = gymnasium.Env[Any, Any]


def newest_checkpoint(run: RunFolder) -> Checkpoint | None:
    """
    Return the newest intact checkpoint of a run; damaged checkpoints are renamed, with a warning.

    Returns:
        None if the run ended before its first checkpoint.

    Raises:
        PolicyFileError: none of the checkpoints can be read, or one has another format version.
    """
    damaged = []
    for path in checkpoint_files(run):
        try:
            found = read(path)
        except DamagedFileError as error:
            damaged.append((path, error))
            continue
        for other, reason in damaged:
            warnings.warn(f'{reason} The run is resumed from the previous checkpoint, {path.name}.', stacklevel=2)
            other.rename(other.with_suffix('.damaged'))
        return found
    if damaged:
        raise PolicyFileError(
            f"none of the {len(damaged)} checkpoints in '{run.checkpoints}' can be read; the newest: {damaged[0][1]} "
            'Restore a copy, or start a run in another folder.'
        )
    return None


def what_is_kept(run: RunFolder) -> str:
    """Return a sentence that says where a failed run can be resumed; empty if there is no checkpoint."""
    paths = checkpoint_files(run)
    return f'The run is kept up to step {int(paths[0].stem)}; resume it with: {run.how_to_resume}' if paths else ''


def spec_of_resumed(known: PolicySpec | None, env: Env, control_period: float | None) -> PolicySpec:
    """
    Return the environment's spec for a run that is resumed.

    If the environment does not state its period, the run keeps its initial period, because earlier releases assumed 1 s
    for environments whose period can now be found.

    Args:
        known: the spec of the agent; None: it has not been trained.
        env: the environment.
        control_period: the period given by the caller [s]; None: not given.
    """
    if known is None or control_period is not None:
        return spec_from_env(env, control_period)
    with warnings.catch_warnings(action='ignore'):  # the run was warned of this assumption when it began
        found, assumed = find_period(env)
    spec = spec_from_env(env, known.control_period)
    differs = found != spec.control_period
    return dataclasses.replace(spec, control_period_assumed=known.control_period_assumed or assumed or differs)


def check_environment(
    env: Env, spec: PolicySpec, run: RunFolder, *, known: PolicySpec | None, environment: str | None
) -> None:
    """
    Check that an environment is the same as a run's training environment.

    Args:
        env: the environment.
        spec: the spec of the environment.
        run: the folder of the run.
        known: the spec of the environment that the agent was trained in; None: it has not been trained.
        environment: the id of that environment.

    Raises:
        SpecError: the environment differs.
    """
    name = id_of(env)
    keywords, given = run.started_with.env_kwargs, keywords_of(env)
    if keywords is not None and (other := _first_difference(keywords, given)):
        made = [f'{other}={one[other]!r}' if other in one else f'no {other}' for one in (keywords, given)]
        raise SpecError(
            f"the run in '{run.folder}' was started in an environment made with {made[0]}, but this one has {made[1]}; "
            'resume it with the environment it was started with.'
        )
    if known is None:
        return
    # Runs of older versions do not say that their period was assumed, and have no contract with a robot.
    known = dataclasses.replace(known, control_period_assumed=spec.control_period_assumed).with_actions_of(spec)
    known = known if known.contract else dataclasses.replace(known, contract=spec.contract)
    if not same_id(environment, name):
        differs = f'was trained in {environment or "an environment without an id"}, but this is {name or "one"}'
    elif known != spec:
        field, before, now = known.differences(spec)[0]
        differs = f'was trained with {field} {before}, but this environment has {now}'
    else:
        return
    raise SpecError(f"the run in '{run.folder}' {differs}; resume it with the environment it was started with.")


def _first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    absent = object()
    return next((name for name in {**one, **other} if one.get(name, absent) != other.get(name, absent)), None)
