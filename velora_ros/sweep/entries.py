"""The entries of a sweep's file, one by one."""

import math
import re
from dataclasses import dataclass
from typing import Any

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.training.hyperparameters import PLAIN, WITHOUT_POINT, not_in_json

NAMES = (
    'env', 'steps', 'seeds', 'preset', 'fixed', 'grid', 'sample', 'settings', 'scheduler', 'cpus_per_trial',
    'max_concurrent', 'rank_by', 'control_period', 'env_args',
)  # fmt: skip


@dataclass(frozen=True)
class Asha:
    """
    Asynchronous successive halving (arXiv 1810.05934): at each rung only the best go on.

    Args:
        grace_steps: no trial is stopped before; the first rung.
        reduction_factor: the rungs' distance, and one over the share of trials that pass each.
    """

    grace_steps: int
    reduction_factor: float = 3


def check_names(values: dict[str, Any]) -> None:
    """
    Refuse entries that a sweep does not know.

    Raises:
        ConfigError: naming the nearest one.
    """
    for name in values:
        if name not in NAMES:
            raise ConfigError(f"there is no entry '{name}'.{did_you_mean(str(name), NAMES)}")


def text(values: dict[str, Any], name: str, default: str | None = None) -> str:
    """
    Return a text.

    Raises:
        ConfigError: it is missing, or something else.
    """
    value = values.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise ConfigError(f'{name} is {value!r}; it must be a name, as in env: InvertedPendulum-v5.')
    return value


def whole(values: dict[str, Any], name: str, least: int, default: int | None = None, *, place: str = '') -> int:
    """
    Return a whole number of at least ``least``.

    Raises:
        ConfigError: it is missing, or something else.
    """
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        where = f' under {place}' if place else ''
        raise ConfigError(f'{name}{where} is {value!r}; it must be a whole number of at least {least}.')
    return value


def positive(values: dict[str, Any], name: str) -> float | None:
    """
    Return a number above 0; None where there is none.

    Raises:
        ConfigError: it is something else.
    """
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f'{name} is {value!r}; it must be a number above 0.')
    return float(value)


def one_of(values: dict[str, Any], name: str, valid: tuple[str, ...]) -> str:
    """
    Return one of the valid words, the first by default.

    Raises:
        ConfigError: it is another one.
    """
    value = values.get(name, valid[0])
    if value not in valid:
        raise ConfigError(f'{name} is {value!r}; it must be one of {", ".join(valid)}.')
    return str(value)


def mapping(values: dict[str, Any], name: str) -> dict[str, Any]:
    """
    Return ``name: value`` lines; an empty mapping where there are none.

    Raises:
        ConfigError: it is something else.
    """
    value = values.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is {value!r}; it must hold 'name: value' lines.")
    return value


def keywords(values: dict[str, Any], name: str) -> dict[str, Any]:
    """
    Return the keywords of an environment, as :func:`mapping` does.

    Raises:
        ConfigError: it is something else, or holds what the records of a run cannot.
    """
    found = mapping(values, name)
    if (wrong := not_in_json(found)) is not None:
        raise ConfigError(f'{name} holds {wrong}; {PLAIN}.')
    for key, value in found.items():
        if isinstance(value, str) and WITHOUT_POINT.match(value):
            point = re.sub('[eE]', '.0e', value)
            raise ConfigError(f"{name} has the text '{value}' for {key}; YAML reads {point} as a number.")
    return found


def mappings(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """
    Return a list of mappings that is not empty.

    Raises:
        ConfigError: it is something else.
    """
    value = values.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise ConfigError(f"{name} is {value!r}; it must be a list with 'name: value' lines in each entry.")
    return value


def seeds(values: dict[str, Any]) -> tuple[int, ...]:
    """
    Return the seeds: a list, or first and last as in ``0-4``; 0 alone where there are none.

    Raises:
        ConfigError: they are something else, or one comes twice.
    """
    value = values.get('seeds', [0])
    if isinstance(value, str) and (ends := re.fullmatch(r'(\d+)-(\d+)', value)):
        value = list(range(int(ends[1]), int(ends[2]) + 1))
    valid = isinstance(value, list) and all(
        isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32 for seed in value
    )
    if not valid or not value or len(set(value)) < len(value):
        raise ConfigError(
            f"seeds is {values.get('seeds')!r}; it must be a list of different whole numbers, [0, 1, 2] say, or '0-4'."
        )
    return tuple(value)


def scheduler(values: dict[str, Any], steps: int) -> Asha | None:
    """
    Return what ends bad trials early: ``asha``, or ``{asha: {grace_steps: N, reduction_factor: X}}``.

    Raises:
        ConfigError: it is something else.
    """
    value = values.get('scheduler')
    if value is None:
        return None
    value = {'asha': {}} if value == 'asha' else value
    options = value.get('asha') if isinstance(value, dict) and list(value) == ['asha'] else None
    if not isinstance(options, dict):
        raise ConfigError(
            f'scheduler is {value!r}; it must be asha, or {{asha: {{grace_steps: N, reduction_factor: X}}}}.'
        )
    known = ('grace_steps', 'reduction_factor')
    if unknown := [str(name) for name in options if name not in known]:
        raise ConfigError(f"asha has no '{unknown[0]}'.{did_you_mean(unknown[0], known)}")
    grace = whole(options, 'grace_steps', 1, max(steps // 10, 1), place='asha')
    factor = positive({'reduction_factor': 3, **options}, 'reduction_factor')
    if factor is None or factor <= 1 or grace >= steps:
        raise ConfigError(
            f'asha has grace_steps {grace} and reduction_factor {factor}; grace_steps must be below steps ({steps}) '
            'and reduction_factor above 1.'
        )
    return Asha(grace, factor)


def file_name(label: str) -> str:
    """Return a label without what a file's name must not hold, or a shell would ask about."""
    return re.sub(r'[^\w.,=+-]', '-', label)
