"""What a sweep is to train: read from its file, checked whole before anything starts."""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym import check_env, check_statistics, disturb, make, spec_from_env
from velora_ros.gym.environment_errors import closing
from velora_ros.sweep import entries, ranges
from velora_ros.sweep.entries import Asha
from velora_ros.training.hyperparameters import IN_PROPORTION, TrainConfig, preset_path, read_yaml
from velora_ros.training.runs.config import RunConfig
from velora_ros.utils.atomic_files import atomic_write

LONGEST_NAME = 150
EVALUATIONS = 20  # of a trial, where neither the sweep nor the preset says eval_every
HEADER = '# What this sweep was started with; velora_ros sweep --resume FOLDER goes on with it.\n'
# Valid or not with each other: each setting shows it.
TOGETHER = ('batch_size', 'sequence_length', 'burn_in', 'buffer_size')

Setting = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """
    One training of a sweep.

    Args:
        name: of its run folder: what differs from the other settings, and the seed.
        setting: the hyperparameters that are not the same in all trials.
        config: all there is to it.
    """

    name: str
    setting: Setting
    config: RunConfig


@dataclass(frozen=True)
class Sweep:
    """
    Settings times seeds, in one environment.

    Args:
        env: name of the environment.
        steps: environment steps of each trial.
        seeds: each setting is trained with each of them.
        fixed: every hyperparameter, as it is where a setting does not say otherwise.
        settings: hyperparameters that differ, one mapping a setting.
        scheduler: ends bad trials early; None: all run to their end.
        cpus_per_trial: processor cores that each trial is given.
        max_concurrent: trials at the same time; None: as many as there is room for.
        rank_by: ``last`` evaluation of a trial or its ``best``.
        control_period: nominal period [s] where the environment does not say.
        env_args: keywords for the environment.
    """

    env: str
    steps: int
    seeds: tuple[int, ...]
    fixed: Setting
    settings: tuple[Setting, ...]
    scheduler: Asha | None = None
    cpus_per_trial: int = 1
    max_concurrent: int | None = None
    rank_by: str = 'last'
    control_period: float | None = None
    env_args: Setting = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'Sweep':
        """
        Read a sweep and check all of it: names, values, every trial, the environment.

        Raises:
            ConfigError: something is not valid; the message names it and the file.
            UnsupportedEnvironmentError: the environment cannot be made, or no policy can be trained in it.
        """
        values = read_yaml(Path(path))
        try:
            sweep = cls.parse(values)
        except ConfigError as error:
            raise ConfigError(f"the sweep '{path}': {error}") from error
        sweep._check_environment()
        return sweep

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> 'Sweep':
        """
        Return the sweep of a file's entries; the environment is not made.

        Raises:
            ConfigError: something is not valid.
        """
        sweep = _parse(dict(values))
        sweep._check()
        return sweep

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write it as a file that :meth:`load` reads, with everything that was drawn or came from a preset written out.

        Raises:
            StorageError: the file cannot be written.
        """
        values = dataclasses.asdict(self)
        del values['fixed']['n_episodes']
        values['scheduler'] = {'asha': values['scheduler']} if self.scheduler else None
        written = {name: value for name, value in values.items() if value is not None}
        with atomic_write(path) as file:
            file.write(HEADER.encode() + yaml.safe_dump(_plain(written), sort_keys=False, allow_unicode=True).encode())

    def trials(self) -> list[Trial]:
        """Return all trials: every setting with the first seed, then with the next one."""
        return [
            Trial(f'{label}-seed{seed}', setting, self._config(setting, seed))
            for seed in self.seeds
            for label, setting in zip(self.labels(), self.settings, strict=True)
        ]

    def labels(self) -> list[str]:
        """Return a name for each setting, fit for a folder."""
        labels = [label_of(setting, self.env) for setting in self.settings]
        if max(map(len, labels)) > LONGEST_NAME:
            return [f'setting-{number:03d}' for number in range(1, len(labels) + 1)]
        return labels

    def hyperparameters(self, setting: Setting) -> TrainConfig:
        """
        Return all hyperparameters of one setting.

        Raises:
            ConfigError: they are not valid.
        """
        budget = {'n_episodes': self.steps}  # no limit: an episode has at least one step
        config = TrainConfig.from_dict({**self.fixed, **setting, **budget})
        if config.eval_every == IN_PROPORTION:  # trials are compared at the same steps
            config = dataclasses.replace(config, eval_every=max(1, self.steps // EVALUATIONS))
        return config

    def _config(self, setting: Setting, seed: int) -> RunConfig:
        return RunConfig(
            env=self.env,
            seed=seed,
            hyperparameters=self.hyperparameters(setting),
            total_steps=self.steps,
            control_period=self.control_period,
            env_args=self.env_args,
        )

    def _check(self) -> None:
        for setting in self.settings:
            every = self.hyperparameters(setting).eval_every
            if not 1 <= every <= self.steps:
                raise ConfigError(
                    f'eval_every is {every} and steps {self.steps}; a sweep compares evaluations, so that eval_every '
                    'must be at least 1 and at most steps.'
                )

    def _check_environment(self) -> None:
        for disturbances in {self.hyperparameters(setting).disturbances() for setting in self.settings}:
            with closing(disturb(make(self.env, **self.env_args), disturbances)) as env:
                check_env(env)
                check_statistics(env)
                spec_from_env(env, self.control_period)


def label_of(setting: Setting, otherwise: str) -> str:
    """Return what tells a setting from others, as in ``n_neurons=20,tau=0.01``; ``otherwise`` where nothing does."""
    label = ','.join(f'{name}={_word(value)}' for name, value in setting.items())
    return entries.file_name(label or otherwise)


def _parse(values: Setting) -> Sweep:
    entries.check_names(values)
    env, steps = entries.text(values, 'env'), entries.whole(values, 'steps', 1)
    preset = entries.text(values, 'preset', '')
    path = preset_path(env, preset)
    given = entries.mapping(values, 'fixed')
    _refuse_budget(given, 'fixed')
    base = TrainConfig.from_dict({**(read_yaml(path) if path else {}), **given})
    return Sweep(
        env=env,
        steps=steps,
        seeds=entries.seeds(values),
        fixed=dataclasses.asdict(base),
        settings=_settings(values, given, base),
        scheduler=entries.scheduler(values, steps),
        cpus_per_trial=entries.whole(values, 'cpus_per_trial', 1, 1),
        max_concurrent=entries.whole(values, 'max_concurrent', 1) if 'max_concurrent' in values else None,
        rank_by=entries.one_of(values, 'rank_by', ('last', 'best')),
        control_period=entries.positive(values, 'control_period'),
        env_args=entries.keywords(values, 'env_args'),
    )


def _settings(values: Setting, given: Setting, base: TrainConfig) -> tuple[Setting, ...]:
    """Return each setting once, its values in the types of the hyperparameters."""
    if 'settings' in values:
        if 'grid' in values or 'sample' in values:
            raise ConfigError('settings stands beside grid or sample; either list the settings, or have them made.')
        raw = iter(entries.mappings(values, 'settings'))
    else:
        raw = _made(entries.mapping(values, 'grid'), entries.mapping(values, 'sample'), given, base)
    settings: list[Setting] = []
    for one in raw:
        _refuse_budget(one, 'settings')
        config = TrainConfig.from_dict({**dataclasses.asdict(base), **one})
        setting = {name: getattr(config, name) for name in one}
        if setting not in settings:  # a choice may be drawn twice
            settings.append(setting)
    return tuple(settings)


def _made(grid: Setting, sample: Setting, given: Setting, base: TrainConfig) -> Iterator[Setting]:
    """Yield every point of the grid with every drawn setting; all points get the same draws."""
    sample = dict(sample)
    count = entries.whole(sample, 'count', 1, 1 if not sample else None, place='sample')
    rng = np.random.default_rng(entries.whole(sample, 'seed', 0, 0, place='sample'))
    for name in ('count', 'seed'):
        sample.pop(name, None)
    _check_varied(grid, sample, given)
    drawn = {name: ranges.parse(name, entry, whole=_is_whole(name)) for name, entry in sample.items()}
    for name, one in drawn.items():
        _check_range(name, one, base)
    draws = [{name: one.draw(rng) for name, one in drawn.items()} for _ in range(count)]
    points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    yield from ({**point, **draw} for point in points for draw in draws)


def _check_varied(grid: Setting, sample: Setting, given: Setting) -> None:
    for place, named in (('grid', grid), ('sample', sample)):
        _refuse_budget(named, place)
        for name in named:
            _check_name(name)
            others = {'fixed': given, 'grid': grid, 'sample': sample}
            if twice := [other for other, names in others.items() if other != place and name in names]:
                raise ConfigError(f'{name} stands under {twice[0]} and under {place}; leave it under one of them.')
    for name, choices in grid.items():
        if not isinstance(choices, list) or not choices:
            raise ConfigError(f'{name} is {choices!r} under grid; it must be a list of values that is not empty.')


def _check_range(name: str, drawn: ranges.Range, base: TrainConfig) -> None:
    """Refuse what could be drawn and is not valid, be it drawn or not."""
    if name not in TOGETHER:
        for value in drawn.values:
            TrainConfig.from_dict({**dataclasses.asdict(base), name: value})


def _check_name(name: Any) -> None:
    known = {item.name for item in dataclasses.fields(TrainConfig)}
    if name not in known:
        raise ConfigError(f"there is no hyperparameter '{name}'.{did_you_mean(str(name), known)}")


def _refuse_budget(named: Mapping[Any, Any], place: str) -> None:
    if 'n_episodes' in named:
        raise ConfigError(f'n_episodes stands under {place}; the trials of a sweep last for steps, so leave it out.')


def _is_whole(name: str) -> bool:
    return next(item.type is int for item in dataclasses.fields(TrainConfig) if item.name == name)


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return 'x'.join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """Return a value with lists in the place of tuples, which YAML does not know."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
