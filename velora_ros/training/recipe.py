"""
The recipe: one configuration of hyperparameters for every environment, and the rules that scale it.

``config/train/recipe.yaml`` holds the configuration. ``recipe-task.yaml`` holds the differences for tasks, which
simulate many robots at once, and ``recipe-task-small.yaml`` the differences for tasks with few actions. What depends on
the environment follows from a rule here, never from a list of environments.
"""

import math
from pathlib import Path
from typing import Any

from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.training.discount import GREATEST_DISCOUNT, LEAST_DISCOUNT, discount_for, load_task, time_limit
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.presets import preset_path, read_yaml
from velora_ros.utils.shipped_files import share_path
from velora_ros.utils.task_names import is_task_reference

RECIPE = 'recipe'
"""The name of the recipe's file; as the name of a preset, it selects the recipe."""

SIMULATIONS = 64
"""Number of simulations in the training of a task, unless another number is given."""

GREATEST_TRACE = 0.9
"""The lambda of the returns where ``gamma`` is greatest."""

TASK_STEPS = 1_000_000
"""Default budget for training a task, in transitions of all simulations together."""

FEW_ACTIONS = 8
"""Largest number of actions for which a robot gets the recipe for small tasks."""


def named_hyperparameters(env_id: str, preset: str = '') -> tuple[dict[str, Any], str]:
    """
    Return the default hyperparameters of a training run, and where they come from.

    Args:
        env_id: the id of the environment, or the reference of a task.
        preset: name of a preset of the environment; empty, or ``recipe``: the recipe.

    Raises:
        ConfigError: the preset does not exist, or a file cannot be read.
    """
    if preset not in {'', RECIPE}:
        path = preset_path(env_id, preset)
        return read_yaml(path), str(path)
    gamma, why = discount_for(env_id)
    files = _files(env_id)
    what = f'with {" and ".join(files[1:])}, the recipe for tasks' if files[1:] else 'the recipe for every environment'
    return _values(files, gamma, env_id), f'{_path()}, {what} (gamma {gamma:g}: {why})'


def recipe(env_id: str) -> dict[str, Any]:
    """
    Return the recipe's hyperparameters for an environment: its files' values, ``gamma``, ``trace`` and ``max_steps``.

    ``gamma`` follows from the time limit, unless a task sets it, and ``trace`` from ``gamma``. ``max_steps`` is named
    only where its default would cut episodes that have a longer time limit.

    Args:
        env_id: the id of an environment; if it is not registered, the time limit is not known.

    Raises:
        ConfigError: a file cannot be read.
    """
    return _values(_files(env_id), discount_for(env_id)[0], env_id)


def task_steps(reference: str) -> int:
    """
    Return the default budget for training a task, in transitions of all simulations together.

    Args:
        reference: reference of the task, for example ``quadruped`` or ``my_robot.py:WALK``.
    """
    try:
        named: int | None = load_task(reference).train_steps
    except FAILURES:  # making the environment reports the error
        named = None
    return named or TASK_STEPS


def trace(gamma: float) -> float:
    """
    Return the lambda of the returns: 0 for the smallest ``gamma`` of the recipe, 0.9 for the greatest, linear between.

    Tasks with short episodes learn better from short-horizon returns: on Reacher-v5, where ``gamma`` is 0.95, lambda
    0.9 stays at -4.5, 0.5 reaches -3.7, and 0 reaches -3.5 (docs/experiments.md, experiment 43).

    Args:
        gamma: discount factor of one period.
    """
    share = (gamma - LEAST_DISCOUNT) / (GREATEST_DISCOUNT - LEAST_DISCOUNT)
    return round(GREATEST_TRACE * min(max(share, 0.0), 1.0), 4)


def loads_code(env_id: str) -> bool:
    """Return whether the recipe of an environment depends on code: that of a task, or the module of a ``module:id``."""
    return is_task_reference(env_id) or ':' in env_id


def _files(env_id: str) -> list[str]:
    """Return the names of the recipe's files for an environment; later files override earlier files."""
    if not is_task_reference(env_id):
        return [f'{RECIPE}.yaml']
    small = _actions(env_id) <= FEW_ACTIONS
    return [f'{RECIPE}.yaml', f'{RECIPE}-task.yaml', *([f'{RECIPE}-task-small.yaml'] if small else [])]


def _actions(reference: str) -> float:
    """Return how many actions a task's robot has; infinite if that is not known."""
    try:
        return len(load_task(reference).policy_spec.action_names)
    except FAILURES:  # making the environment reports the error
        return math.inf


def _longest_episode(env_id: str) -> int:
    """Return the number of periods to the time limit of an environment or task; 0 if it has none, or is unknown."""
    if not is_task_reference(env_id):
        return time_limit(env_id) or 0
    try:
        return int(load_task(env_id).built.steps)
    except FAILURES:  # making the environment says what is wrong
        return 0


def _values(files: list[str], gamma: float, env_id: str) -> dict[str, Any]:
    """Return the values of the recipe's files, and the values that follow from a rule."""
    base, *of_tasks = [read_yaml(share_path('config', 'train', file)) for file in files]
    values = {**base, 'trace': trace(gamma)}
    for more in of_tasks:
        values |= more
    longest = _longest_episode(env_id)
    return {**values, 'gamma': gamma} | ({'max_steps': longest} if longest > TrainConfig.max_steps else {})


def _path() -> Path:
    return share_path('config', 'train', f'{RECIPE}.yaml')
