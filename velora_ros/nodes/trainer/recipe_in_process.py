"""
The recipe for trainer_node, chosen as by ``velora_ros train``, in a separate process if it depends on code.

The process loads the task, or the module of a ``module:id``, so that the node loads neither them nor MuJoCo.
"""

import json
import os
import subprocess
import sys
from typing import Any

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.training.recipe import loads_code, named_hyperparameters, task_steps
from velora_ros.utils.task_names import is_task_reference

Defaults = tuple[dict[str, Any], int | None]


def find_defaults(env: str, preset: str = '') -> Defaults:
    """
    Return the hyperparameters of the recipe or of a preset, and the training steps of a task; None for no task.

    Args:
        env: id of the environment, or reference of the task.
        preset: as for :func:`velora_ros.training.recipe.named_hyperparameters`.

    Raises:
        ConfigError: the preset does not exist, or the code ends the process that loads it.
    """
    if not loads_code(env):
        return _defaults(env, preset)
    command = [sys.executable, '-m', __name__, env, preset]
    process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if process.returncode:
        raise ConfigError(
            f"'{env}' cannot be loaded: its process ended with status {process.returncode}; correct its code."
        )
    answer = json.loads(process.stdout)
    if 'error' in answer:
        raise ConfigError(answer['error'])
    return answer['hyperparameters'], answer['steps']


def _defaults(env: str, preset: str) -> Defaults:
    return named_hyperparameters(env, preset)[0], task_steps(env) if is_task_reference(env) else None


def main() -> None:
    """Write the answer for ``sys.argv``: an environment and a preset; what the loaded code prints goes elsewhere."""
    answer = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    try:
        hyperparameters, steps = _defaults(*sys.argv[1:])
        json.dump({'hyperparameters': hyperparameters, 'steps': steps}, answer)
    except VeloraError as error:
        json.dump({'error': str(error)}, answer)
    answer.flush()


if __name__ == '__main__':
    main()
