"""What a run was started with, as the YAML file in its folder."""

import dataclasses
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from velora_ros.errors import ConfigError, VeloraError, did_you_mean
from velora_ros.training.hyperparameters import TrainConfig, read_yaml
from velora_ros.utils.atomic_files import atomic_write

FORMAT_VERSION = 1
BUDGET = ('total_steps', 'n_episodes')
HEADER = '# What this run was started with; velora_ros train --resume FOLDER goes on with it.\n'
MAY_CHANGE = (*BUDGET, 'window_size', 'device')
"""What a run may be resumed with another value of: everything else would make it another run."""


@dataclass(frozen=True)
class RunConfig:
    """
    Environment, seed, budget and hyperparameters of one run.

    Args:
        env: name of the environment, as :func:`velora_ros.gym.make` takes it; None: it has none.
        seed: the run's seed.
        hyperparameters: all of them; what was changed while it ran stands in the checkpoints.
        total_steps: environment steps at most, over all starts of the run; None: no limit.
        control_period: nominal period [s] where the environment does not say.
        device: what it is computed on.
        wrappers: names of the wrappers around the environment that its name does not imply, innermost first.
        flags: what else the command line was given, if the run was started on one; None: it was not.
        env_kwargs: keywords that the environment was made with, as far as JSON can hold them; None: not known, as in
            folders of older versions.
        env_args: keywords for the environment that come with its name, as ``--env-arg`` gives them.
        start_from: the file that the training began from; None: from nothing.
    """

    env: str | None
    seed: int
    hyperparameters: TrainConfig
    total_steps: int | None = None
    control_period: float | None = None
    device: str = 'cpu'
    wrappers: tuple[str, ...] = field(default=())
    flags: str | None = None
    env_kwargs: dict[str, Any] | None = None
    env_args: dict[str, Any] = field(default_factory=dict)
    start_from: str | None = None

    @property
    def command(self) -> str:
        """What repeats the run on a command line; empty where it was not started on one."""
        budget = f'--steps {self.total_steps}' if self.total_steps else f'--episodes {self.hyperparameters.n_episodes}'
        command = f'velora_ros train --env {shlex.quote(self.env or "")} --seed {self.seed} {budget} {self.flags}'
        return '' if self.flags is None else command.rstrip()

    def name_of_env(self) -> str:
        """
        Return the environment's name.

        Raises:
            ConfigError: it has none, or wrappers around it that its name does not imply.
        """
        if self.env is None or self.wrappers:
            what = f'wrapped in {", ".join(self.wrappers)}' if self.wrappers else 'without an id'
            raise ConfigError(
                f'the run was started by a program, in an environment {what}, which cannot be made by its name; '
                'resume it from that program, with train(..., resume=True).'
            )
        return self.env

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write it.

        Raises:
            StorageError: the file cannot be written; an older one is untouched.
        """
        values = {'format_version': FORMAT_VERSION, **dataclasses.asdict(self)}
        values['wrappers'] = list(self.wrappers)
        values['hyperparameters'] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values['hyperparameters'].items()
        }
        values['hyperparameters']['n_episodes'] = int(self.hyperparameters.n_episodes)  # YAML knows no kinds of int
        with atomic_write(path) as file:
            file.write(HEADER.encode() + yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'RunConfig':
        """
        Read it.

        Raises:
            ConfigError: the file is missing, damaged, of another format version, or holds an unknown hyperparameter.
        """
        values = read_yaml(Path(path))
        if values.pop('format_version', None) != FORMAT_VERSION:
            raise ConfigError(
                f"'{path}' is not of the format version {FORMAT_VERSION} that this package reads; go on with the "
                'version of velora_ros that started the run, or start another run in another folder.'
            )
        known = {item.name for item in dataclasses.fields(cls)}
        try:
            if unknown := [str(name) for name in values if name not in known]:
                raise ConfigError(f"there is no entry '{unknown[0]}'.{did_you_mean(unknown[0], known)}")
            config = TrainConfig.from_dict(values.pop('hyperparameters'))
            return cls(**{**values, 'wrappers': tuple(values.get('wrappers', ()))}, hyperparameters=config)
        except (VeloraError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"'{path}' is damaged: {error} Put back what the run was started with.") from error

    def refuse_differences(self, given: Mapping[str, Any], folder: object) -> None:
        """
        Compare what the run was started with to what is given now.

        Args:
            given: values by name, hyperparameters among them.
            folder: the run's, for the message.

        Raises:
            ConfigError: something differs that must not; the message names it.
        """
        own = {**dataclasses.asdict(self.hyperparameters), **dataclasses.asdict(self)}
        for name, value in given.items():
            if name not in MAY_CHANGE and name in own and own[name] != value:
                raise ConfigError(
                    f"the run in '{folder}' was started with {name} {own[name]!r}, now it is {value!r}; a resumed run "
                    f'keeps it ({", ".join(MAY_CHANGE)} may change). Leave it out, or start a run in another folder.'
                )
