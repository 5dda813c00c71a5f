"""
The recipe: one configuration of hyperparameters for every environment, and the rules that scale it.

``config/train/recipe.yaml`` holds the configuration, and ``recipe-task.yaml`` what tasks have otherwise, which simulate
many robots at once. What depends on the environment follows from a rule here, never from a list of environments.
"""

import importlib
from pathlib import Path
from typing import Any

import gymnasium

from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.training.presets import preset_path, read_yaml
from velora_ros.utils.shipped_files import share_path
from velora_ros.utils.task_names import is_task_reference

RECIPE = 'recipe'
"""The name of its file, and of the preset that means it."""

SIMULATIONS = 64
"""Simulations of a task that a training runs at once, unless another number is given."""

TASK_STEPS = 1_000_000
"""Transitions of all simulations in a training of a task that names no budget itself."""

LEAST_DISCOUNT, GREATEST_DISCOUNT = 0.95, 0.99
"""A smaller discount hardly sees what follows; with a larger one the critic learns slowly."""


def named_hyperparameters(env_id: str, preset: str = '', *, load: bool = True) -> tuple[dict[str, Any], str]:
    """
    Return the hyperparameters of a training run unless the user gives others, and where they come from.

    Args:
        env_id: environment.
        preset: name of a preset; empty: the environment's own preset if there is one, else the recipe.
        load: whether the module of a ``module:id`` and the file of a task may be loaded, which know the time limit.

    Raises:
        ConfigError: the preset does not exist, or a file cannot be read.
    """
    path = None if preset == RECIPE else preset_path(env_id, preset)
    if path is not None:
        return read_yaml(path), str(path)
    gamma, why = _gamma(env_id, load=load)
    what = (
        'with recipe-task.yaml, the recipe for tasks'
        if is_task_reference(env_id)
        else 'the recipe for every environment'
    )
    return {**_values(env_id), 'gamma': gamma}, f'{_path()}, {what} (gamma {gamma:g}: {why})'


def recipe(env_id: str, *, load: bool = True) -> dict[str, Any]:
    """
    Return the recipe's hyperparameters for an environment: those of the file, and ``gamma``.

    ``gamma`` follows from the time limit, unless a task names it.

    Args:
        env_id: an id; where it is not registered, the time limit is unknown.
        load: as for :func:`named_hyperparameters`.

    Raises:
        ConfigError: the file cannot be read.
    """
    return {**_values(env_id), 'gamma': _gamma(env_id, load=load)[0]}


def task_steps(reference: str) -> int:
    """
    Return the transitions of all simulations in a training of a task unless the user gives a budget.

    Args:
        reference: of the task, for example ``quadruped`` or ``my_robot.py:WALK``.
    """
    try:
        named: int | None = _task(reference).train_steps
    except FAILURES:  # making the environment says what is wrong
        named = None
    return named or TASK_STEPS


def discount(periods: int | None) -> float:
    """
    Return the discount factor of one period, ``1 - 5 / periods``, but at least 0.95 and at most 0.99.

    The horizon, 1 / (1 - gamma) periods, is then a fifth of an episode, and 20 to 100 periods.

    Args:
        periods: nominal periods to the time limit; None: there is none.
    """
    if periods is None:
        return GREATEST_DISCOUNT
    return min(max(1 - 5 / periods, LEAST_DISCOUNT), GREATEST_DISCOUNT)


def time_limit(env_id: str, *, load: bool = True) -> int | None:
    """
    Return the periods to the time limit with which an id is registered; None: there is none, or no such id.

    Args:
        env_id: an id in gymnasium's registry, or ``module:id``, of which the module is imported; or the reference of a
            task, whose commands may end sooner than its episodes.
        load: as for :func:`named_hyperparameters`; without it both are unknown.
    """
    module, _, name = env_id.rpartition(':')
    if not load and (module or is_task_reference(env_id)):
        return None
    try:
        if is_task_reference(env_id):
            horizon: int = _task(env_id).horizon
            return horizon
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name).max_episode_steps
    except FAILURES:  # making the environment says what is wrong
        return None


def _gamma(env_id: str, *, load: bool) -> tuple[float, str]:
    """Return the discount factor for an environment, and why it is that."""
    if load and is_task_reference(env_id):
        try:
            task = _task(env_id)
        except FAILURES:  # making the environment says what is wrong
            return discount(None), 'no time limit is known'
        if task.discount is not None:
            return task.discount, 'the task names it'
        limit: int | None = task.horizon
    else:
        limit = time_limit(env_id, load=load)
    return discount(limit), 'no time limit is known' if limit is None else f'a time limit of {limit} steps'


def _task(reference: str) -> Any:
    from velora_ros.tasks.find_task import find  # noqa: PLC0415 - trainer_node need not load MuJoCo

    return find(reference)


def _values(env_id: str) -> dict[str, Any]:
    """Return the values of the recipe's files."""
    of_tasks = read_yaml(share_path('config', 'train', f'{RECIPE}-task.yaml')) if is_task_reference(env_id) else {}
    return {**read_yaml(_path()), **of_tasks}


def _path() -> Path:
    return share_path('config', 'train', f'{RECIPE}.yaml')
