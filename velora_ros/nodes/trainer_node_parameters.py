"""The parameters of trainer_node: what to train, where to, and every hyperparameter."""

import dataclasses
import re
from typing import Any

from velora_ros.nodes.parameters import Kind, Parameter, Values
from velora_ros.training.config import TrainConfig, preset_path, read_yaml

_AT_START = 'it is read at the start; start the node again.'
_KINDS: dict[Any, Kind] = {
    bool: 'bool', int: 'integer', float: 'double', str: 'string', tuple[int, ...]: 'integer_array'
}  # fmt: skip
# The budget has a parameter of its own, and the node no progress bar.
_OTHERWISE = ('n_episodes', 'window_size')


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _hyperparameter(item: 'dataclasses.Field[Any]') -> Parameter:
    default = _plain(item.default)
    limits = None if item.type in (bool, str) else (item.metadata['low'], item.metadata['high'])
    text, choices = item.metadata['help'], item.metadata['choices']
    sentence = f'{text[0].upper()}{text[1:]}.'
    return Parameter(item.name, _KINDS[item.type], default, sentence, range=limits, choices=choices)


HYPERPARAMETERS = tuple(item.name for item in dataclasses.fields(TrainConfig) if item.name not in _OTHERWISE)

PARAMETERS = (
    Parameter('env', 'string', 'InvertedPendulum-v5', 'Gymnasium id of the environment.', read_only=_AT_START),
    Parameter(
        'preset', 'string', '', 'Name of a preset beside the usual one, e.g. robust: config/train/<env>-<preset>.yaml.',
        read_only=_AT_START,
    ),
    Parameter('seed', 'integer', 0, 'One seed, one run.', range=(0, 2**31 - 1)),
    Parameter('total_steps', 'integer', 30_000, 'Environment steps of the training.', range=(1, 2**53)),
    Parameter('run_dir', 'string', '', 'Folder of policy and learning curve; empty is runs/<env>-seed<seed>.'),
    Parameter('out', 'string', '', 'Policy file to write; empty is policy.safetensors in the run folder.'),
    Parameter('autostart', 'bool', False, 'Train from the start, without a call of ~/start.', read_only=_AT_START),
    Parameter(
        'exit_when_done', 'bool', False, 'End the process with the training; exit status 0 when it succeeded.'
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


def run_folder(values: Values) -> str:
    """Return the run's folder."""
    return str(values['run_dir'] or f'runs/{_file_name(values["env"])}-seed{values["seed"]}')


def policy_path(values: Values) -> str:
    """Return the path of the policy to write."""
    return str(values['out'] or f'{run_folder(values)}/policy.safetensors')


def _file_name(env: str) -> str:
    return re.sub(r'[^\w.-]', '-', env)
