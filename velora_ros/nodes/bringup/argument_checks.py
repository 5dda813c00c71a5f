"""Checks launch arguments before any node starts, and refuses invalid ones."""

import importlib.util
import math
import re
from collections.abc import Mapping
from pathlib import Path

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.nodes.bringup.launch_arguments import ARGUMENTS, BOOLEAN
from velora_ros.utils.dependencies import how_to_install
from velora_ros.utils.shipped_files import share_path
from velora_ros.utils.task_names import SHIPPED

ROBOT_FILES = ('.xml', '.mjcf', '.urdf', '.mjb')  # the same as in gym/read_robot_file.py, which imports gymnasium

_BOOLEANS = {'true': True, '1': True, 'yes': True, 'on': True, 'false': False, '0': False, 'no': False, 'off': False}
_TRAINING = ('torch', 'array_api_compat', 'matplotlib', 'tensorboardX', 'threadpoolctl', 'tqdm')
_PAGE = ('viser', 'mjviser')
_LOG_LEVEL = r'|([\w./]+:=)?(debug|info|warn|error|fatal)'
_NAMESPACE = r'/?|(/?[A-Za-z_][A-Za-z0-9_]*)+/?'
_TOPIC = r'|(~/|/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*'


def check_arguments(run: str, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return every argument of a run: a missing or empty one has its default, a boolean is ``true`` or ``false``.

    Raises:
        ConfigError: the run or an argument is unknown, or a value is invalid.
    """
    values = _with_defaults(run, given)
    for name in ('robots', 'seed', 'steps', 'view_port'):
        if values.get(name):
            whole_number(name, values[name])
    if values.get('duration'):
        seconds('duration', values['duration'])
    values['params'] = _params(values['params'], values['params_file'])
    _check_pattern(
        'namespace',
        values,
        _NAMESPACE,
        "names of letters, digits and underscores, joined by slashes, for example 'robot1' or 'lab/robot1'",
    )
    _check_pattern('log_level', values, _LOG_LEVEL, 'debug, info, warn, error or fatal')
    _check_pattern(
        'command_topic',
        values,
        _TOPIC,
        "a topic's name, for example 'forward_effort_controller/commands', or '/cmd_vel' outside the namespace",
    )
    return values


def whole_number(name: str, value: str) -> int:
    """
    Return the value of the argument ``name`` as an integer.

    Raises:
        ConfigError: the value is not a whole number of at least 0.
    """
    if not value.isdecimal():
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be a whole number, 0 or more.")
    return int(value)


def seconds(name: str, value: str) -> float:
    """
    Return the value of the argument ``name`` as a time [s].

    Raises:
        ConfigError: the value is not a finite number of at least 0.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be a number of seconds, 0 or more.")
    return number


def check_policy(given: str) -> None:
    """
    Check that a policy exists, as a file or as a shipped policy; '' is not checked.

    Raises:
        ConfigError: there is no such file, and no shipped policy has that name.
    """
    name = given if given.endswith('.safetensors') else f'{given}.safetensors'
    if given and not Path(given).expanduser().exists() and not share_path('policies', name).is_file():
        raise ConfigError(
            f"the policy is '{given}': there is no such file, and no shipped policy has that name. Shipped policies: "
            f'{_shipped()}.{did_you_mean(given, _shipped().split(", ")) if "/" not in given else ""}'
        )


def shipped_policy(env: str) -> str:
    """
    Return the path of the policy shipped for an environment.

    Raises:
        ConfigError: no policy is shipped for this environment.
    """
    path = share_path('policies', f'{env}.safetensors')
    if not path.is_file():
        advice = f'Train a policy with velora_ros train --env {env} --out FILE, and add policy:=FILE.'
        if Path(env).suffix.lower() in ROBOT_FILES:  # a robot file defines no reward for training
            advice = 'Add policy:=FILE; docs/simulator.md shows how to train a policy for your own robot.'
        raise ConfigError(f"no policy is shipped for the environment '{env}'. Shipped policies: {_shipped()}. {advice}")
    return str(path)


def check_robot(given: str) -> None:
    """
    Check that a shipped robot has this name; '' and references to a user's own task are not checked.

    Raises:
        ConfigError: no shipped robot has this name.
    """
    if given and given not in SHIPPED and ':' not in given and not given.endswith('.py'):
        raise ConfigError(
            f"the argument 'robot' is '{given}', but no shipped robot has that name.{did_you_mean(given, SHIPPED)} "
            'For your own task, give my_robot.py:NAME or module:NAME.'
        )


def policy_of_robot(robot: str) -> str:
    """
    Return the path of the policy shipped for a robot.

    Raises:
        ConfigError: no policy is shipped for this robot.
    """
    path = share_path('policies', f'{robot}.safetensors')
    if robot not in SHIPPED or not path.is_file():
        raise ConfigError(
            f"no policy is shipped for the robot '{robot}'. Train a policy with velora_ros train --task {robot} --out "
            'FILE, and add policy:=FILE.'
        )
    return str(path)


def check_training_is_installed() -> None:
    """
    Check that the packages for training are installed.

    Raises:
        ConfigError: a package is missing.
    """
    missing = [name for name in _TRAINING if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'training needs {", ".join(missing)}, which {"are" if len(missing) > 1 else "is"} not installed here. '
            f'{how_to_install("train")} In a clone, make control TRAIN=1 or make train installs it.'
        )


def check_page_is_installed() -> None:
    """
    Check that the packages for the page of view_node are installed.

    Raises:
        ConfigError: a package is missing.
    """
    missing = [name for name in _PAGE if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'the page (view:=true) needs {" and ".join(missing)}, which {"are" if len(missing) > 1 else "is"} not '
            f'installed here. {how_to_install("view")} In a clone, make control VIEW=1 installs it.'
        )


def _with_defaults(run: str, given: Mapping[str, str]) -> dict[str, str]:
    if run not in ARGUMENTS:
        raise ConfigError(f"there is no run '{run}'.{did_you_mean(run, ARGUMENTS)}")
    known = {argument.name: argument for argument in ARGUMENTS[run]}
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no argument '{name}'.{did_you_mean(name, known)}")
    values = {name: given.get(name) or argument.default for name, argument in known.items()}
    for argument in known.values():
        if argument.choices == BOOLEAN and values[argument.name]:
            values[argument.name] = _boolean(argument.name, values[argument.name])
    return values


def _boolean(name: str, value: str) -> str:
    """Return 'true' or 'false' for any spelling of a boolean that ROS accepts."""
    if value.lower() not in _BOOLEANS:
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be true or false (True, False, 1, 0).")
    return BOOLEAN[0] if _BOOLEANS[value.lower()] else BOOLEAN[1]


def _params(params: str, params_file: str) -> str:
    """Return the parameter file, which the arguments ``params`` and ``params_file`` both name; '' for none."""
    if params and params_file and params != params_file:
        raise ConfigError(
            f"the arguments 'params' and 'params_file' mean the same, but have the values '{params}' and "
            f"'{params_file}'; give one of them. "
            'To use several parameter files, join them into one.'
        )
    file = params or params_file
    if file and not Path(file).expanduser().is_file():
        raise ConfigError(
            f"the parameter file '{file}' (params or params_file) does not exist; give a YAML file of ROS parameters."
        )
    return file


def _check_pattern(name: str, values: Mapping[str, str], pattern: str, valid: str) -> None:
    value = values.get(name, '')
    if not re.fullmatch(pattern, value.lower() if name == 'log_level' else value):
        raise ConfigError(f"the argument '{name}' is '{value}'; it must be {valid}.")


def _shipped() -> str:
    return ', '.join(sorted(file.stem for file in share_path('policies').glob('*.safetensors'))) or 'none'
