"""Argument types that several commands share, and a flag for every hyperparameter."""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from velora_ros.training.env_args import read_keyword
from velora_ros.training.hyperparameters import explained, fields

WITHOUT_FLAG = ('n_episodes',)  # the budget has its own flags


def whole_number(least: int) -> Callable[[str], int]:
    """Return a converter for argparse: a whole number that is at least ``least``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least {least}")
        return value

    return convert


def keyword(text: str) -> tuple[str, Any]:
    """Convert the argument ``name=value`` to a name and a value, which is read as YAML."""
    try:
        return read_keyword(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_env_arguments(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the option ``--env-arg name=value``, which can be given more than once."""
    parser.add_argument('--env-arg', metavar='NAME=VALUE', type=keyword, action='append', default=[], help=text)


def add_hyperparameters(group: 'argparse._ArgumentGroup', *, only: str = '') -> None:
    """Add a flag for every hyperparameter, or only for the group ``only``; a flag that is not given is None."""
    for item in _flagged(only):
        default = ' '.join(map(str, item.default)) if isinstance(item.default, tuple) else item.default
        options: dict[str, Any] = {'help': f'{explained(item)} ({default})'.replace('%', '%%'), 'default': None}
        kind: Any = item.type
        if kind is bool:
            options['action'] = argparse.BooleanOptionalAction
        elif kind is str:
            options['choices'] = item.metadata['choices']
        elif kind in (int, float):
            options |= {'type': kind, 'metavar': 'N' if kind is int else 'X'}
        else:
            options |= {'type': int, 'nargs': '+', 'metavar': 'N'}
        group.add_argument(f'--{item.name.replace("_", "-")}', **options)


def given_hyperparameters(arguments: argparse.Namespace, *, only: str = '') -> dict[str, Any]:
    """Return the hyperparameters given on the command line, by name; with ``only``, just this group."""
    values = {item.name: getattr(arguments, item.name) for item in _flagged(only)}
    return {name: value for name, value in values.items() if value is not None}


def _flagged(group: str) -> 'list[dataclasses.Field[Any]]':
    return [item for item in fields(group) if item.name not in WITHOUT_FLAG]
