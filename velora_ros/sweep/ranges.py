"""Ranges that a sweep draws hyperparameters from."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from velora_ros.errors import ConfigError

KINDS = ('choice', 'uniform', 'loguniform')
DIGITS = 4  # significant ones of a drawn number, so that folders have readable names that are the whole truth


@dataclass(frozen=True)
class Range:
    """
    What one hyperparameter may be.

    Args:
        kind: one of :data:`KINDS`.
        values: the choices, or the least and the greatest value.
        whole: whether it is drawn as an integer.
    """

    kind: str
    values: tuple[Any, ...]
    whole: bool

    def draw(self, rng: np.random.Generator) -> Any:
        """Return one value."""
        if self.kind == 'choice':
            return self.values[rng.integers(len(self.values))]
        low, high = self.values
        if self.kind == 'loguniform':
            value = math.exp(rng.uniform(math.log(low), math.log(high)))
        elif self.whole:
            value = float(rng.integers(low, high, endpoint=True))
        else:
            value = rng.uniform(low, high)
        value = round(value) if self.whole else float(f'{value:.{DIGITS}g}')
        return min(max(value, low), high)


def parse(name: str, entry: Any, *, whole: bool) -> Range:
    """
    Read ``{uniform: [low, high]}``, ``{loguniform: [low, high]}`` or ``{choice: [a, b, c]}``.

    Args:
        name: of the hyperparameter.
        entry: what the file has.
        whole: whether the hyperparameter is an integer.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(entry, dict) or len(entry) != 1 or next(iter(entry)) not in KINDS:
        raise ConfigError(
            f'{name} is {entry!r} under sample; it must be one of {{uniform: [low, high]}}, '
            '{loguniform: [low, high]} and {choice: [a, b, c]}.'
        )
    ((kind, values),) = entry.items()
    if not isinstance(values, list) or not values:
        raise ConfigError(f'{kind} of {name} is {values!r}; it must be a list that is not empty.')
    if kind != 'choice':
        _check_ends(name, kind, values, whole=whole)
    return Range(kind, tuple(values), whole)


def _check_ends(name: str, kind: str, values: list[Any], *, whole: bool) -> None:
    types = int if whole else (int, float)
    numbers = [value for value in values if isinstance(value, types) and not isinstance(value, bool)]
    if len(values) != 2 or len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        what = 'integers' if whole else 'numbers'
        raise ConfigError(
            f'{kind} of {name} is {values!r}; it must be two {what}, the lower one first (YAML reads 1e-4 as text, '
            '1.0e-4 as a number).'
        )
    if kind == 'loguniform' and numbers[0] <= 0:
        raise ConfigError(f'loguniform of {name} begins at {numbers[0]}; it must begin above 0.')
