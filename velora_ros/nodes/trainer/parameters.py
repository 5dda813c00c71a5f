"""The parameters of trainer_node: what to train, where to, and every hyperparameter."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.parameters import Kind, Parameter, Values
from velora_ros.training.callbacks import LIVE
from velora_ros.training.hyperparameters import TrainConfig, preset_path, read_keyword, read_yaml
from velora_ros.training.runs.paths import RunPaths, default_folder
from velora_ros.training.runs.start_file import StartFile
from velora_ros.utils import check_writable

_AT_START = 'it is read at the start; start the node again.'
_KINDS: dict[Any, Kind] = {
    bool: 'bool', int: 'integer', float: 'double', str: 'string', tuple[int, ...]: 'integer_array'
}  # fmt: skip
# The budget has a parameter of its own, and the node no progress bar.
_OTHERWISE = ('n_episodes', 'window_size')
_GROUPS = {item.name: item.metadata['group'] for item in dataclasses.fields(TrainConfig)}
_WHY_FIXED = {
    'agent': 'networks, optimisers and replay are made at its start.',
    'env': 'its environments are made at its start.',
    'train': 'it holds from its first step to its last.',
    '': 'it says what is trained, and where to.',
}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _hyperparameter(item: 'dataclasses.Field[Any]') -> Parameter:
    default = _plain(item.default)
    limits = None if item.type in (bool, str) else (item.metadata['low'], item.metadata['high'])
    text, choices = item.metadata['help'], item.metadata['choices']
    sentence = f'{text[0].upper()}{text[1:]}.'
    return Parameter(item.name, _KINDS[item.type], default, sentence, range=limits, choices=choices)


ANY_TIME = (*LIVE, 'resume_on_death', 'exit_when_done')
"""What may change while a training is at work; hyperparameters do so with the next episode."""

HYPERPARAMETERS = tuple(item.name for item in dataclasses.fields(TrainConfig) if item.name not in _OTHERWISE)

PARAMETERS = (
    Parameter('env', 'string', 'InvertedPendulum-v5', 'Gymnasium id of the environment.', read_only=_AT_START),
    Parameter(
        'preset', 'string', '', 'Name of a preset beside the usual one, e.g. robust: config/train/<env>-<preset>.yaml.',
        read_only=_AT_START,
    ),
    Parameter(
        'env_args', 'string_array', [],
        'Keywords for the environment, each name=value with a YAML value, e.g. frame_skip=4.',
    ),
    Parameter(
        'start_from', 'string', '',
        'File to train on from: a policy, a saved agent, a checkpoint, or a run folder; empty is from nothing.',
    ),
    Parameter('device', 'string', 'cpu', 'What to compute on: cpu, cuda, cuda:N, or auto.'),
    Parameter('seed', 'integer', 0, 'One seed, one run.', range=(0, 2**31 - 1)),
    Parameter('total_steps', 'integer', 30_000, 'Environment steps of the training.', range=(1, 2**53)),
    Parameter(
        'run_dir', 'string', '', 'Folder of the run, in which there must be none yet; empty is a new one below runs/.'
    ),
    Parameter('out', 'string', '', 'Another file for the best policy, beside the one in the run folder.'),
    Parameter(
        'resume', 'bool', False,
        'Start by going on with the run in run_dir, or without that with the one that this node began last.',
    ),
    Parameter(
        'resume_on_death', 'bool', False,
        'When the training process dies, start another that goes on from the newest checkpoint.',
    ),
    Parameter(
        'announce_untrained', 'bool', False,
        'Announce the policy before training as well, for a controller that has no other.',
    ),
    Parameter(
        'rival', 'string', '',
        'A policy file, or the name of a shipped one: only what does better in the evaluations is announced.',
    ),
    Parameter(
        'nice', 'integer', 0,
        'How far the training process steps back for others: its niceness, above that of the node.', range=(0, 19),
    ),
    Parameter('autostart', 'bool', False, 'Train from the start, without a call of ~/start.', read_only=_AT_START),
    Parameter(
        'exit_when_done', 'bool', False, 'End the process with the training; exit status 0 when it succeeded.'
    ),
    Parameter(
        'exit_when_failed', 'bool', False,
        'End the process with status 1 when a training fails before there is a policy of it: somebody waits for one.',
        read_only=_AT_START,
    ),
    *(_hyperparameter(item) for item in dataclasses.fields(TrainConfig) if item.name not in _OTHERWISE),
)  # fmt: skip


def with_preset(env: str, preset_name: str = '') -> tuple[Parameter, ...]:
    """
    Return the rows, hyperparameters defaulting to the environment's shipped preset where there is one.

    Raises:
        ConfigError: the preset is damaged, or there is none of that name.
    """
    path = preset_path(env, preset_name)
    named = {} if path is None else read_yaml(path)
    preset = dataclasses.asdict(TrainConfig.from_dict(named))
    return tuple(
        dataclasses.replace(row, default=_plain(preset[row.name])) if row.name in named else row for row in PARAMETERS
    )


def config_of(values: Values) -> TrainConfig:
    """
    Return the hyperparameters.

    Raises:
        ConfigError: two of them do not fit each other.
    """
    chosen = {name: values[name] for name in HYPERPARAMETERS}
    # No limit of its own: an episode has at least one step.
    return TrainConfig(**chosen, n_episodes=values['total_steps'])


def refuse_changes(before: Values, after: Values) -> None:
    """
    Refuse what cannot change while a training is at work.

    Raises:
        ConfigError: with the reason, and what to do instead.
    """
    for name, value in after.items():
        if value != before[name] and name not in ANY_TIME:
            raise ConfigError(
                f"parameter '{name}' cannot change while a training is at work: {_WHY_FIXED[_GROUPS.get(name, '')]} "
                f'Call ~/stop, set it, and call ~/start; at any time you can change {", ".join(ANY_TIME)}.'
            )


def _keywords(words: Sequence[str]) -> dict[str, Any]:
    """
    Return ``name=value`` words as keywords.

    Raises:
        ConfigError: one is not of that form.
    """
    try:
        return dict(map(read_keyword, words))
    except ValueError as error:
        raise ConfigError(f"parameter 'env_args': {error}.") from error


def _start(values: Values) -> str:
    """
    Return the file to train on from, looked at; empty for none.

    Raises:
        PolicyFileError: no training can begin from it.
    """
    if not values['start_from'] or values['resume']:
        return ''
    return str(StartFile.load(Path(values['start_from']).expanduser()).path.absolute())


def job_of(values: Values, last_run: str) -> dict[str, Any]:
    """
    Return what the training process is to do; :func:`velora_ros.nodes.trainer.training_process.train` reads it.

    Args:
        values: the node's parameters.
        last_run: folder of the run that the node began last, if it did.

    Raises:
        ConfigError: hyperparameters do not fit each other, the folder is not one to begin or resume in, or ``out`` is a
            folder.
        StorageError: ``out`` cannot be written.
    """
    chosen = values['run_dir'] or (last_run if values['resume'] else '')
    if values['resume'] and not chosen:
        raise ConfigError("'resume' is set, but this node has begun no run; give the folder of one in 'run_dir'.")
    folder = Path(chosen).expanduser() if chosen else default_folder(values['env'], values['seed'])
    there = RunPaths(folder).holds_run
    if values['resume'] and not there:
        raise ConfigError(
            f"there is no run in '{folder}' to go on with; give another 'run_dir', or set 'resume' to false."
        )
    if there and not values['resume']:
        raise ConfigError(
            f"the folder '{folder}' holds a run already, which is not overwritten; set 'resume' to go on with it, or "
            "give another one in 'run_dir'."
        )
    job = {name: values[name] for name in ('env', 'seed', 'total_steps', 'out', 'resume', 'announce_untrained', 'nice')}
    rival = ''
    if values['rival']:
        from velora_ros.nodes.policy.policy_loader import policy_path  # noqa: PLC0415 - most trainings need none of policy_node

        rival = str(policy_path(values['rival']).absolute())
    config = dataclasses.asdict(config_of(values))
    job |= {'device': values['device'], 'env_args': _keywords(values['env_args']), 'start_from': _start(values)}
    if values['out']:
        out = Path(values['out']).expanduser().absolute()
        check_writable(out, "parameter 'out'")
        job['out'] = str(out)
    return {**job, 'run_dir': str(folder.absolute()), 'rival': rival, 'config': config}
