"""The parameters of trainer_node: what to train, where to write the results, and every hyperparameter."""

import dataclasses
from typing import Any

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.parameter import Kind, Parameter, Values
from velora_ros.nodes.trainer.recipe_in_process import find_defaults
from velora_ros.training.hyperparameters import LIVE, TrainConfig, fields, without_effect
from velora_ros.training.recipe import SIMULATIONS

_AT_START = 'it is read when the node starts; start the node again.'
_KINDS: dict[Any, Kind] = {
    bool: 'bool', int: 'integer', float: 'double', str: 'string', tuple[int, ...]: 'integer_array'
}  # fmt: skip
# The parameter total_steps limits training, and the node prints no status lines.
_WITHOUT_PARAMETER = ('n_episodes', 'window_size')
_GROUPS = {item.name: item.metadata['group'] for item in fields()}
_WHY_FIXED = {
    'agent': 'networks, optimisers and replay are created at its start.',
    'env': 'its environments are created at its start.',
    'train': 'it applies from the first step to the last.',
    '': 'it determines what is trained and where it is written.',
}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _hyperparameter(item: 'dataclasses.Field[Any]') -> Parameter:
    default = _plain(item.default)
    limits = None if item.type in (bool, str) else (item.metadata['low'], item.metadata['high'])
    text, choices = item.metadata['help'], item.metadata['choices']
    sentence = f'{text[0].upper()}{text[1:]}.'
    unit = item.metadata['unit']
    return Parameter(item.name, _KINDS[item.type], default, sentence, range=limits, choices=choices, unit=unit)


ANY_TIME = (*LIVE, 'resume_on_death', 'exit_when_done')
"""The parameters that may change during training; hyperparameters change with the next episode."""

HYPERPARAMETERS = tuple(item.name for item in fields() if item.name not in _WITHOUT_PARAMETER)

PARAMETERS = (
    Parameter('env', 'string', 'InvertedPendulum-v5', 'Gymnasium id of the environment.', read_only=_AT_START),
    Parameter(
        'task', 'string', '',
        'A task to train instead of env: quadruped, arm, rover, my_robot.py:WALK or module:WALK.', read_only=_AT_START,
    ),
    Parameter(
        'preset', 'string', '',
        'Name of a preset, for example tuned for config/train/<env>-tuned.yaml. If empty, the recipe, '
        'config/train/recipe.yaml.',
        read_only=_AT_START,
    ),
    Parameter(
        'env_args', 'string_array', [],
        'Keyword arguments of the environment, each as name=value with a YAML value, for example frame_skip=4.',
    ),
    Parameter(
        'start_from', 'string', '',
        'File or folder from which training begins: a policy, a saved agent, a checkpoint or a run folder. If empty, '
        'training begins with a new agent.',
    ),
    Parameter('device', 'string', 'cpu', 'Device for training: cpu, cuda, cuda:N or auto.'),
    Parameter('seed', 'integer', 0, 'Seed of the run; the same seed gives the same results.', range=(0, 2**31 - 1)),
    Parameter(
        'total_steps', 'integer', 30_000, 'Number of environment steps of the run. A task has its own default.',
        range=(1, 2**53),
    ),
    Parameter(
        'num_envs', 'integer', 0,
        'Number of environments to train in at once; total_steps counts the steps of all of them. 0 means 1 '
        f'environment, or {SIMULATIONS} simulations of a task.', range=(0, 2**31 - 1),
    ),
    Parameter(
        'run_dir', 'string', '',
        'Folder of the run; it must not contain a run yet. If empty, a new folder in runs/.',
    ),
    Parameter('out', 'string', '', 'Additional file to which the best policy is written.'),
    Parameter(
        'resume', 'bool', False,
        'Resume the run in run_dir, or the last run of this node if run_dir is empty.',
    ),
    Parameter(
        'resume_on_death', 'bool', False,
        'If the training process dies, start another process, which resumes from the newest checkpoint.',
    ),
    Parameter(
        'announce_untrained', 'bool', False,
        'Also announce the untrained policy, for a controller that has no policy yet.',
    ),
    Parameter(
        'rival', 'string', '',
        'Policy file, or the name of a shipped policy. A policy is announced only if its return in evaluations is '
        'higher than the return of this policy.',
    ),
    Parameter(
        'nice', 'integer', 0,
        'Niceness of the training process, in addition to the niceness of the node.', range=(0, 19),
    ),
    Parameter(
        'spare_cpus', 'integer', 0,
        'Number of CPUs that the training process leaves to other processes; it keeps at least one CPU.',
        range=(0, 1024),
    ),
    Parameter(
        'autostart', 'bool', False, 'Start training when the node starts, without a call to ~/start.',
        read_only=_AT_START,
    ),
    Parameter(
        'exit_when_done', 'bool', False,
        'End the node when training ends; the exit status is 0 if training succeeded, otherwise 1.',
    ),
    Parameter(
        'exit_when_failed', 'bool', False,
        'End the node with exit status 1 if training fails before it has announced a policy, so that other nodes do '
        'not wait for one.',
        read_only=_AT_START,
    ),
    *(_hyperparameter(item) for item in fields() if item.name not in _WITHOUT_PARAMETER),
)  # fmt: skip


def with_preset(env: str, preset_name: str = '') -> tuple[Parameter, ...]:
    """
    Return the table with the hyperparameters of a preset as defaults, or of the recipe if ``preset_name`` is empty.

    For a task, ``total_steps`` is the task's own.

    Raises:
        ConfigError: the preset is invalid or does not exist.
    """
    named, steps = find_defaults(env, preset_name)
    preset = dataclasses.asdict(TrainConfig.from_dict(named))
    defaults = {name: _plain(preset[name]) for name in named} | ({} if steps is None else {'total_steps': steps})
    return tuple(
        dataclasses.replace(row, default=defaults[row.name]) if row.name in defaults else row for row in PARAMETERS
    )


def hyperparameters_of(values: Values) -> TrainConfig:
    """
    Return the hyperparameters from the node's parameters.

    Raises:
        ConfigError: two hyperparameters contradict each other.
    """
    chosen = {name: values[name] for name in HYPERPARAMETERS}
    # An episode has at least one step, so n_episodes adds no limit.
    return TrainConfig(**chosen, n_episodes=values['total_steps'])


def refuse_changes(before: Values, after: Values) -> None:
    """
    Check a change of parameters during training.

    Raises:
        ConfigError: a parameter cannot change; the message says why, and what to do instead.
    """
    for name, value in after.items():
        if value != before[name] and name not in ANY_TIME:
            raise ConfigError(
                f"parameter '{name}' cannot change during training: {_WHY_FIXED[_GROUPS.get(name, '')]} "
                f'Call ~/stop, set the parameter, and call ~/start. Only {", ".join(ANY_TIME)} can change at any time.'
            )
    for name, reason in without_effect(hyperparameters_of(after)).items():
        if after[name] != before[name]:
            raise ConfigError(f"parameter '{name}' has no effect, because {reason}.")
