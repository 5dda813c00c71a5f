"""Signatures and docstrings with every hyperparameter, so that ``help`` shows them without a list kept by hand."""

import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from velora_ros.errors import did_you_mean
from velora_ros.training.hyperparameters import explained, fields, names

Decorated = TypeVar('Decorated', bound=Callable[..., Any])


def taking_hyperparameters(group: str) -> Callable[[Decorated], Decorated]:
    """
    Make a function with ``**hyperparameters`` show each hyperparameter of a group, in its signature and docstring.

    Hyperparameters that the function names explicitly are omitted. The line of ``**hyperparameters`` in the docstring's
    ``Args`` is replaced. With a class, the signature of its constructor changes.

    Args:
        group: ``AGENT`` or ``TRAIN``.
    """

    def decorate(function: Decorated) -> Decorated:
        target: Any = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
        signature = inspect.signature(target)
        shown = [item for item in fields(group) if item.name not in signature.parameters]
        kept = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        made = [
            inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=item.type)
            for item in shown
        ]
        target.__signature__ = signature.replace(parameters=[*kept, *made])
        if function.__doc__:
            function.__doc__ = _with_arguments(inspect.cleandoc(function.__doc__), shown)
        return function

    return decorate


def _with_arguments(docstring: str, shown: list['dataclasses.Field[Any]']) -> str:
    """Return the docstring with a line for each hyperparameter in place of the line of ``**hyperparameters``."""
    lines = docstring.splitlines()
    place = next(i for i, line in enumerate(lines) if line.strip().startswith('**hyperparameters:'))
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    arguments = [
        textwrap.fill(f'{item.name}: {explained(item)}.', 110, initial_indent=indent, subsequent_indent=indent * 2)
        for item in shown
    ]
    return '\n'.join([*lines[:place], *arguments, *lines[place + 1 :]])


def refuse_unknown(function: str, group: str, given: Mapping[str, Any]) -> None:
    """
    Refuse unknown keywords, as Python does for a signature.

    Raises:
        TypeError: a keyword is not a hyperparameter of the group.
    """
    known = names(group)
    for name in given:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'.{did_you_mean(name, known)}")
