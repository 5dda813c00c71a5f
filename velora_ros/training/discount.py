"""The discount factor, gamma, from the time limit of an environment or task."""

import functools
import importlib
from typing import Any

import gymnasium

from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.utils.task_names import is_task_reference

LEAST_DISCOUNT, GREATEST_DISCOUNT = 0.95, 0.99
"""With a smaller discount factor the future hardly counts; with a larger one the critic learns slowly."""


def discount_for(env_id: str) -> tuple[float, str]:
    """
    Return the discount factor for an environment, from its time limit unless a task sets it, and the reason.

    Args:
        env_id: see :func:`time_limit`; or the reference of a task, whose commands may end sooner than its episodes.
    """
    if is_task_reference(env_id):
        try:
            task = load_task(env_id)
        except FAILURES:  # making the environment reports the error
            return discount(None), 'no time limit is known'
        if task.discount is not None:
            return task.discount, 'the task sets it'
        limit: int | None = task.horizon
    else:
        limit = time_limit(env_id)
    return discount(limit), 'no time limit is known' if limit is None else f'a time limit of {limit} steps'


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


def time_limit(env_id: str) -> int | None:
    """
    Return the time limit with which an id is registered, in periods; None: there is no limit, or no such id.

    Args:
        env_id: an id in gymnasium's registry, or ``module:id``, of which the module is imported.
    """
    module, _, name = env_id.rpartition(':')
    try:
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name).max_episode_steps
    except FAILURES:  # making the environment reports the error
        return None


@functools.cache
def load_task(reference: str) -> Any:
    """Return the task of a reference, for example ``quadruped`` or ``my_robot.py:WALK``; its file is run once."""
    from velora_ros.tasks.find_task import find  # noqa: PLC0415 - trainer_node need not load MuJoCo

    return find(reference)
