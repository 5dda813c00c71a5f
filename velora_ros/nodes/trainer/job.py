"""Makes the job of a training process, what to train and where to write it, from the parameters of trainer_node."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.trainer.parameters import hyperparameters_of
from velora_ros.training.env_args import read_keyword
from velora_ros.training.recipe import SIMULATIONS
from velora_ros.training.runs.config import TASK_ENV
from velora_ros.training.runs.paths import RunPaths, default_folder
from velora_ros.training.runs.start_from_file import StartFile
from velora_ros.utils.atomic_files import check_writable


def make_job(values: Values, last_run: str) -> dict[str, Any]:
    """
    Return the job as a dictionary for JSON; :func:`velora_ros.nodes.trainer.child_process_main.train` reads it.

    Args:
        values: the node's parameters.
        last_run: folder of the last run of this node; ``''`` if there was none.

    Raises:
        ConfigError: hyperparameters contradict each other, no run can be started or resumed in the folder, or ``out``
            is a folder.
        PolicyFileError: training cannot begin from the file ``start_from``.
        StorageError: ``out`` cannot be written.
    """
    task = values['task']
    job = {name: values[name] for name in ('seed', 'total_steps', 'resume', 'announce_untrained', 'nice', 'spare_cpus')}
    return {
        **job,
        'env': TASK_ENV if task else values['env'],
        'num_envs': values['num_envs'] or (SIMULATIONS if task else 1),
        'run_dir': str(_run_folder(values, last_run).absolute()),
        'rival': _rival(values),
        'config': dataclasses.asdict(hyperparameters_of(values)),
        'device': values['device'],
        'env_args': _keywords(values['env_args']) | ({'task': task} if task else {}),
        'start_from': _start_file(values),
        'out': _out(values),
    }


def _run_folder(values: Values, last_run: str) -> Path:
    """Return the folder in which to start or resume a run."""
    resume = values['resume']
    given = values['run_dir'] or (last_run if resume else '')
    if resume and not given:
        raise ConfigError("'resume' is set, but this node has not started a run yet; set 'run_dir' to a run's folder.")
    folder = Path(given).expanduser() if given else default_folder(values['task'] or values['env'], values['seed'])
    holds_run = RunPaths(folder).holds_run
    if resume and not holds_run:
        raise ConfigError(f"there is no run in '{folder}' to resume; give another 'run_dir', or set 'resume' to false.")
    if holds_run and not resume:
        raise ConfigError(
            f"the folder '{folder}' already holds a run, which is not overwritten; set 'resume' to resume it, or give "
            "another folder in 'run_dir'."
        )
    return folder


def _rival(values: Values) -> str:
    if not values['rival']:
        return ''
    from velora_ros.nodes.policy.policy_folders import policy_path  # noqa: PLC0415 - most runs have no rival

    return str(policy_path(values['rival']).absolute())


def _keywords(texts: Sequence[str]) -> dict[str, Any]:
    try:
        return dict(map(read_keyword, texts))
    except ValueError as error:
        raise ConfigError(f"parameter 'env_args': {error}.") from error


def _start_file(values: Values) -> str:
    """Return the file from which training begins, after checking it; ``''`` if there is none."""
    if not values['start_from'] or values['resume']:
        return ''
    return str(StartFile.load(Path(values['start_from']).expanduser()).path.absolute())


def _out(values: Values) -> str:
    """Return the additional path of the best policy, after checking that it can be written; ``''`` for none."""
    if not values['out']:
        return ''
    out = Path(values['out']).expanduser().absolute()
    check_writable(out, "parameter 'out'")
    return str(out)
