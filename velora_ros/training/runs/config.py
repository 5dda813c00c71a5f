"""The configuration of a run, stored as ``config.yaml`` in its folder when the run starts."""

import contextlib
import dataclasses
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import yaml
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from velora_ros.errors import ConfigError, VeloraError, did_you_mean
from velora_ros.gym import NamedFlatten
from velora_ros.gym.make_env import id_of
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.presets import read_yaml
from velora_ros.utils.atomic_files import atomic_write

FORMAT_VERSION = 1
BUDGET = ('total_steps', 'n_episodes')
HEADER = '# The configuration of this run; velora_ros train --resume FOLDER continues it.\n'
MAY_CHANGE = (*BUDGET, 'window_size', 'device')
"""The values that may differ when a run is resumed; any other difference would make it a different run."""

GIVEN_BY_MAKE = (PassiveEnvChecker, OrderEnforcing, TimeLimit, NamedFlatten)

Env = gymnasium.Env[Any, Any]

TASK_ENV = 'velora_ros.tasks:Task-v0'
"""The environment of every task; its keyword ``task`` selects the task."""


@dataclass(frozen=True)
class RunConfig:
    """
    Environment, seed, budget and hyperparameters of one run.

    Args:
        env: name of the environment for :func:`velora_ros.gym.make`; None if it has none.
        seed: the run's seed.
        hyperparameters: all hyperparameters; changes during training are in the checkpoints.
        total_steps: maximum number of environment steps, over all starts of the run; None: no limit.
        control_period: nominal period [s] of an environment that does not state its own.
        device: the device that the agent runs on.
        wrappers: names of the wrappers around the environment that its name does not imply, innermost first.
        flags: the other flags of the command line that started the run; None: a program started it.
        env_kwargs: keywords with which the environment was made, if JSON can hold them; None: not known, as in folders
            of older versions.
        env_args: keywords for the environment given in addition to its name, for example by ``--env-arg``.
        start_from: the file from which the run began; None: it began with a new agent.
        num_envs: number of environments used at once.
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
    num_envs: int = 1

    @property
    def command(self) -> str:
        """The command that repeats the run; empty if a program started it."""
        budget = f'--steps {self.total_steps}' if self.total_steps else f'--episodes {self.hyperparameters.n_episodes}'
        budget += f' --num-envs {self.num_envs}' if self.num_envs != 1 or self.env == TASK_ENV else ''
        named = f'--env {shlex.quote(self.env or "")}'
        if self.env == TASK_ENV:
            named = f'--task {shlex.quote(str(self.env_args.get("task", "")))}'
        command = f'velora_ros train {named} --seed {self.seed} {budget} {self.flags}'
        return '' if self.flags is None else command.rstrip()

    def name_of_env(self) -> str:
        """
        Return the environment's name.

        Raises:
            ConfigError: the environment has no name, or has wrappers that its name does not imply.
        """
        if self.env is None or self.wrappers:
            what = f'wrapped in {", ".join(self.wrappers)}' if self.wrappers else 'without an id'
            raise ConfigError(
                f'the run was started by a program, in an environment {what}, which cannot be made from its name; '
                'resume it from that program, with train(..., resume=True).'
            )
        return self.env

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the configuration as a YAML file.

        Raises:
            StorageError: the file cannot be written; an existing file is not changed.
        """
        values = {'format_version': FORMAT_VERSION, **dataclasses.asdict(self)}
        values['wrappers'] = list(self.wrappers)
        values['hyperparameters'] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values['hyperparameters'].items()
        }
        values['hyperparameters']['n_episodes'] = int(self.hyperparameters.n_episodes)  # YAML has no subclasses of int
        with atomic_write(path) as file:
            file.write(HEADER.encode() + yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'RunConfig':
        """
        Read the configuration from a YAML file.

        Raises:
            ConfigError: the file is missing, damaged, of another format version, or holds an unknown hyperparameter.
        """
        values = read_yaml(Path(path))
        if values.pop('format_version', None) != FORMAT_VERSION:
            raise ConfigError(
                f"'{path}' does not have the format version {FORMAT_VERSION} that this package reads; continue with "
                'the version of velora_ros that started the run, or start another run in another folder.'
            )
        known = {item.name for item in dataclasses.fields(cls)}
        try:
            if unknown := [str(name) for name in values if name not in known]:
                raise ConfigError(f"there is no entry '{unknown[0]}'.{did_you_mean(unknown[0], known)}")
            config = TrainConfig.from_dict(values.pop('hyperparameters'))
            return cls(**{**values, 'wrappers': tuple(values.get('wrappers', ()))}, hyperparameters=config)
        except (VeloraError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"'{path}' is damaged: {error} Restore the original file.") from error

    def refuse_differences(self, given: Mapping[str, Any], folder: object) -> None:
        """
        Check that the values given now agree with the configuration.

        Args:
            given: values by name, hyperparameters among them.
            folder: the folder of the run, for the message.

        Raises:
            ConfigError: a value that must stay the same differs; the message names it.
        """
        own = {**dataclasses.asdict(self.hyperparameters), **dataclasses.asdict(self)}
        for name, value in given.items():
            if name not in MAY_CHANGE and name in own and own[name] != value:
                raise ConfigError(
                    f"the run in '{folder}' was started with {name} {own[name]!r}, but now it is {value!r}; a resumed "
                    f'run keeps it ({", ".join(MAY_CHANGE)} may change). Omit it, or start a run in another folder.'
                )


def describe(env: Env, arguments: Mapping[str, Any], config: TrainConfig, **others: Any) -> RunConfig:
    """
    Return the configuration of a run that is about to start.

    Args:
        env: the environment.
        arguments: the constructor arguments of the agent.
        config: the hyperparameters of ``train``.
        **others: other fields of :class:`RunConfig`: ``seed``, ``total_steps``, ``control_period``, ``device``, and
            optionally ``env_args``, ``start_from``, ``num_envs``.
    """
    agent = {name: arguments[name] for name in config.agent_arguments()}
    return RunConfig(
        env=id_of(env),
        hyperparameters=dataclasses.replace(config, **agent),
        wrappers=tuple(_wrappers(env)),
        env_kwargs=keywords_of(env),
        **others,
    )


def keywords_of(env: Env) -> dict[str, Any]:
    """
    Return the keywords with which an environment was made, as JSON restores them; others are omitted.

    ``render_mode`` is omitted too, because it does not change the environment.
    """
    keywords: dict[str, Any] = {}
    for name, value in ({} if env.spec is None else env.spec.kwargs).items():
        if name != 'render_mode':
            with contextlib.suppress(TypeError, ValueError, AttributeError):
                keywords[name] = json.loads(json.dumps(value, default=_plain, allow_nan=False))
    return keywords


def _plain(value: Any) -> Any:
    """Convert numpy values to Python's types for JSON; raise AttributeError for values of other types."""
    return value.tolist()


def _wrappers(env: Any) -> Iterator[str]:
    """Yield the names of the wrappers that ``gymnasium.make`` does not add by itself, innermost first."""
    if isinstance(env, gymnasium.Wrapper):
        yield from _wrappers(env.env)
        if not isinstance(env, GIVEN_BY_MAKE):
            yield type(env).__name__
