"""The settings of a sweep: listed in its file, or made by combining each point of its grid with each drawn setting."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from velora_ros.errors import ConfigError
from velora_ros.sweep.sweep_file import Range, SweepFile
from velora_ros.training.hyperparameters import TrainConfig

# Whether these are valid depends on each other; each setting is checked whole.
TOGETHER = ('batch_size', 'sequence_length', 'burn_in', 'buffer_size')


def make_settings(file: SweepFile, base: TrainConfig) -> tuple[dict[str, Any], ...]:
    """
    Return each setting once, with values in the types of the hyperparameters.

    Args:
        file: the entries of the sweep's file.
        base: the hyperparameters of every setting that does not change them.

    Raises:
        ConfigError: a value, or a value that could be drawn, is not valid.
    """
    settings: list[dict[str, Any]] = []
    for values in _made(file, base) if file.settings is None else file.settings:
        config = TrainConfig.from_dict({**dataclasses.asdict(base), **values})
        setting = {name: getattr(config, name) for name in values}
        if setting not in settings:  # a choice may be drawn twice
            settings.append(setting)
    return tuple(settings)


def _made(file: SweepFile, base: TrainConfig) -> Iterator[dict[str, Any]]:
    """Yield every point of the grid with every drawn setting; all points get the same draws."""
    draws: list[dict[str, Any]] = [{}]
    if file.sample is not None:
        ranges = file.sample.ranges
        for name, one in ranges.items():
            _check_range(name, one, base)
        rng = np.random.default_rng(file.sample.seed)
        draws = [
            {name: one.draw(rng, whole=_is_whole(name)) for name, one in ranges.items()}
            for _ in range(file.sample.count)
        ]
    points = [dict(zip(file.grid, point, strict=True)) for point in itertools.product(*file.grid.values())]
    yield from ({**point, **draw} for point in points for draw in draws)


def _check_range(name: str, drawn: Range, base: TrainConfig) -> None:
    """Refuse a range from which an invalid value could be drawn."""
    if _is_whole(name) and not drawn.choice and not all(value.is_integer() for value in drawn.values):
        raise ConfigError(f'sample.{name} is from {drawn.values[0]} to {drawn.values[1]}; it must be two integers.')
    if name not in TOGETHER:
        for value in drawn.values:
            TrainConfig.from_dict({**dataclasses.asdict(base), name: value})


def _is_whole(name: str) -> bool:
    return next(item.type is int for item in dataclasses.fields(TrainConfig) if item.name == name)
