"""Find a task by its reference: ``quadruped``, ``my_robot.py:WALK`` or ``my_package.my_robot:WALK``."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from velora_ros.errors import TaskError, did_you_mean
from velora_ros.tasks.named_parts import Array
from velora_ros.tasks.single_env import TaskEnv
from velora_ros.tasks.task import Task
from velora_ros.utils.task_names import SHIPPED

_HOME = 'velora_ros.tasks'
_TERMS = f'{_HOME}.terms'
_VALID = f'Give {", ".join(SHIPPED)}, or your own as my_robot.py:WALK or my_package.my_robot:WALK.'


def shipped() -> list[str]:
    """Return the names of the included tasks."""
    return [name for name in SHIPPED if importlib.util.find_spec(f'{_HOME}.{name}') is not None]


def make_env(task: str | Task, **options: Any) -> TaskEnv:
    """
    Make the environment of a task; gymnasium calls this for the id ``velora_ros.tasks:Task-v0``.

    Args:
        task: the task, or its reference.
        **options: keyword arguments of :meth:`velora_ros.tasks.Task.make`.
    """
    return (task if isinstance(task, Task) else find(task)).make(**options)


def find(reference: str) -> Task:
    """
    Return a task.

    Args:
        reference: the name of an included task, ``my_robot.py:NAME`` or ``module:NAME``; the name can be omitted if the
            file has only one task.

    Raises:
        TaskError: there is no such task, or the file that declares it fails.
    """
    if reference in SHIPPED:
        return _task_in(_imported(f'{_HOME}.{reference}', reference), '', reference)
    place, _, name = reference.rpartition(':') if ':' in reference else (reference, '', '')
    if place.endswith('.py'):
        return _task_in(_loaded(Path(place).expanduser(), reference), name, reference)
    if not name:
        raise TaskError(f"there is no task '{reference}'.{did_you_mean(reference, shipped())} {_VALID}")
    return _task_in(_imported(place, reference), name, reference)


def _task_in(module: ModuleType, name: str, reference: str) -> Task:
    tasks = {key: value for key, value in vars(module).items() if isinstance(value, Task)}
    if name:
        if name not in tasks:
            raise TaskError(f"'{reference}': the module has no task '{name}'.{did_you_mean(name, tasks)}")
        return _named(tasks[name], reference)
    distinct = list({id(task): task for task in tasks.values()}.values())
    if len(distinct) != 1:
        found = ', '.join(tasks) or 'none'
        raise TaskError(f"'{reference}' does not say which task; the module has {found}. Write my_robot.py:NAME.")
    return _named(distinct[0], reference)


def _named(task: Task, reference: str) -> Task:
    object.__setattr__(task, 'name', reference)  # the only field that is set after construction
    return task


def _imported(module: str, reference: str) -> ModuleType:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except Exception as error:  # the module may be the user's own
        if isinstance(error, ModuleNotFoundError) and error.name and f'{module}.'.startswith(f'{error.name}.'):
            raise TaskError(f"'{reference}': there is no module '{error.name}'. {_VALID}") from error
        raise _failure(reference, error) from error
    finally:
        sys.path.remove(here)


def _loaded(path: Path, reference: str) -> ModuleType:
    if not path.is_file():
        raise TaskError(f"'{reference}': there is no file '{path}'. {_VALID}")
    name = f'velora_ros_task_{path.stem}'
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"'{reference}': '{path}' is not a Python file. {_VALID}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # a task may import modules beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is the user's own
        raise _failure(reference, error) from error
    finally:
        sys.path.remove(folder)
    return module


def _failure(reference: str, error: Exception) -> TaskError:
    reason = ' '.join(str(error).split())
    if isinstance(error, TaskError):
        return TaskError(f"'{reference}': {reason}")
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        home, _, kind = error.obj.__name__.rpartition('.')
        if home == _TERMS and error.name is not None:
            hint = did_you_mean(error.name, _terms_in(error.obj))
            return TaskError(f"'{reference}': there is no '{kind}.{error.name}'.{hint}")
    return TaskError(f"'{reference}' cannot be loaded: it fails with {type(error).__name__}: {reason}; correct it.")


def _terms_in(module: ModuleType) -> list[str]:
    """Return the names of the functions of ``observe``, ``reward``, ... that return a term, without their helpers."""
    return [name for name, value in vars(module).items() if isinstance(value, FunctionType) and _is_term(value, module)]


def _is_term(function: FunctionType, module: ModuleType) -> bool:
    types = function.__annotations__
    is_public = function.__module__ == module.__name__ and not function.__name__.startswith('_')
    return is_public and not {'sim', 'model'} & types.keys() and types['return'] not in (Any, Array)
