"""The plan of a sweep: its trials, each a setting with a seed. All of it is checked before anything starts."""

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from velora_ros.errors import ConfigError
from velora_ros.gym import check_env, check_statistics, disturb, make, spec_from_env
from velora_ros.gym.describe_env_errors import closing
from velora_ros.training.hyperparameters import IN_PROPORTION, TrainConfig
from velora_ros.training.presets import read_yaml
from velora_ros.training.recipe import named_hyperparameters
from velora_ros.training.runs.config import RunConfig
from velora_ros.utils.atomic_files import atomic_write

LONGEST_NAME = 150
EVALUATIONS = 20  # evaluations of a trial, if neither the sweep nor the preset sets eval_every
HEADER = '# The plan of this sweep; velora_ros sweep --resume FOLDER resumes it.\n'

Setting = dict[str, Any]


@dataclass(frozen=True)
class Asha:
    """
    Asynchronous successive halving (arXiv 1810.05934): at each rung only the best trials continue.

    Args:
        grace_steps: the first rung; no trial is stopped before it.
        reduction_factor: ratio between consecutive rungs; at each rung, one in this many trials continues.
    """

    grace_steps: int
    reduction_factor: float = 3


@dataclass(frozen=True)
class Trial:
    """
    One training run of a sweep.

    Args:
        name: name of its run folder: what differs from the other settings, and the seed.
        setting: the hyperparameters that are not the same in all trials.
        config: the configuration of its run.
    """

    name: str
    setting: Setting
    config: RunConfig


@dataclass(frozen=True)
class Sweep:
    """
    Every setting with every seed, in one environment.

    Args:
        env: name of the environment.
        steps: environment steps of each trial.
        seeds: the seeds with which each setting is trained.
        fixed: every hyperparameter, with the value that holds unless a setting changes it.
        settings: the hyperparameters that differ, one mapping for each setting.
        scheduler: stops bad trials early; None: all trials run to their end.
        cpus_per_trial: CPU cores reserved for each trial.
        max_concurrent: trials at the same time; None: as many as the cores allow.
        rank_by: the evaluation of a trial that counts, ``last`` or ``best``.
        control_period: nominal period [s], for an environment that does not state it.
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
        Read a sweep's file and check it: names, values, every trial, the environment.

        Raises:
            ConfigError: an entry is not valid; the message names the entry and the file.
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
        Return the sweep for a file's entries; the environment is not made.

        Raises:
            ConfigError: an entry is not valid.
            MissingDependencyError: pydantic is not installed.
        """
        from velora_ros.sweep.settings import make_settings  # noqa: PLC0415 - pydantic, which only a sweep needs
        from velora_ros.sweep.sweep_file import SweepFile  # noqa: PLC0415

        file = SweepFile.check(values)
        named, _ = named_hyperparameters(file.env, file.preset)
        base = TrainConfig.from_dict({**named, **file.fixed})
        sweep = cls(
            env=file.env,
            steps=file.steps,
            seeds=tuple(file.seeds),
            fixed=dataclasses.asdict(base),
            settings=make_settings(file, base),
            scheduler=Asha(file.grace_steps, file.scheduler.asha.reduction_factor) if file.scheduler else None,
            cpus_per_trial=file.cpus_per_trial,
            max_concurrent=file.max_concurrent,
            rank_by=file.rank_by,
            control_period=file.control_period,
            env_args=file.env_args,
        )
        sweep._check()
        return sweep

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the plan to a file that :meth:`load` reads, with all drawn values and all values of the preset.

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
        """Return all trials: every setting with the first seed, then every setting with the next seed, and so on."""
        return [
            Trial(f'{label}-seed{seed}', setting, self._config(setting, seed))
            for seed in self.seeds
            for label, setting in zip(self.labels(), self.settings, strict=True)
        ]

    def labels(self) -> list[str]:
        """Return a name for each setting, usable as the name of a folder."""
        labels = [label_of(setting, self.env) for setting in self.settings]
        if max(map(len, labels)) > LONGEST_NAME:
            return [f'setting-{number:03d}' for number in range(1, len(labels) + 1)]
        return labels

    def hyperparameters(self, setting: Setting) -> TrainConfig:
        """
        Return all hyperparameters of one setting.

        Raises:
            ConfigError: a value is not valid.
        """
        budget = {'n_episodes': self.steps}  # no limit, because an episode has at least one step
        config = TrainConfig.from_dict({**self.fixed, **setting, **budget})
        if config.eval_every == IN_PROPORTION:  # trials are compared after equal numbers of steps
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
                    f'eval_every is {every} and steps {self.steps}; a sweep compares evaluations: eval_every must be '
                    'at least 1 and at most steps.'
                )

    def _check_environment(self) -> None:
        for disturbances in {self.hyperparameters(setting).disturbances() for setting in self.settings}:
            with closing(disturb(make(self.env, **self.env_args), disturbances)) as env:
                check_env(env)
                check_statistics(env)
                spec_from_env(env, self.control_period)


def label_of(setting: Setting, otherwise: str) -> str:
    """Return the setting as a name, for example ``n_neurons=20,tau=0.01``; ``otherwise`` for an empty setting."""
    label = ','.join(f'{name}={_word(value)}' for name, value in setting.items())
    return re.sub(
        r'[^\w.,=+-]', '-', label or otherwise
    )  # no characters that are invalid in a file name or special in a shell


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return 'x'.join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """Return a value with lists instead of tuples, which YAML does not have."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
