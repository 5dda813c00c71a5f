"""Every hyperparameter in one frozen table: presets, command-line flags and the trainer node are made from it."""

import dataclasses
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym import Disturbances
from velora_ros.gym.disturbances.settings import LONGEST
from velora_ros.liquid.cell_registry import CELLS, CFC
from velora_ros.utils.shipped_files import share_path

STEPS, FULL_EPISODES = 'steps', 'full_episodes'
BACKENDS = ('auto', 'torch', 'numba')
IN_PROPORTION = -1  # as eval_every


class DefaultEpisodes(int):
    """The default of ``n_episodes``, which a budget of steps replaces; a number that was asked for is a plain int."""


WITHOUT_POINT = re.compile(r'[-+]?[0-9]+[eE][-+]?[0-9]+$')
"""A number like 1e-3, which YAML 1.1 reads as text."""


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number."""


_Loader.add_implicit_resolver('tag:yaml.org,2002:float', WITHOUT_POINT, list('-+0123456789'))

N_EPISODES = DefaultEpisodes(1000)


def _of(
    group: str,
    default: Any,
    text: str,
    low: float = 0,
    high: float = math.inf,
    *,
    above: bool = False,
    choices: Collection[str] = (),
) -> Any:
    """Return a field with its group (agent: constructor, train: train(), env: disturb()), a sentence, what is valid."""
    limits = {'low': low, 'high': high, 'above': above, 'choices': choices}
    return field(default=default, metadata={'group': group, 'help': text, **limits})


@dataclass(frozen=True)
class TrainConfig:
    """
    The hyperparameters of a training run.

    Names and defaults are those of ``LiquidDDPG`` and ``LiquidDDPG.train``, and for the environment those of
    :class:`velora_ros.gym.Disturbances`.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    n_neurons: int = _of('agent', 10, 'inter and command neurons of the actor', 2)
    sparsity: float = _of('agent', 0.5, 'share of the possible synapses that each neuron does without', 0, 1)
    critic_sizes: tuple[int, ...] = _of('agent', (64, 64), "neurons of the critic's hidden layers", 1)
    n_critics: int = _of('agent', 1, 'critics; with 2 the smaller value is the target (TD3)', 1, 2)
    critic_neurons: int = _of('agent', 0, "liquid neurons of a memory of the critic's own; 0: none", 0)
    policy_tau: float = _of(
        'agent', 0.0, 'share by which the deployed policy follows the actor in one update; 0: it is the actor', 0, 1
    )
    buffer_size: int = _of('agent', 100_000, 'transitions kept in the replay buffer', 1)
    actor_lr: float = _of('agent', 1e-4, "the actor's learning rate", above=True)
    critic_lr: float = _of('agent', 1e-3, "the critic's learning rate", above=True)
    cell: str = _of('agent', CFC, 'recurrent layer of the actor: liquid, or a control of equal size', choices=CELLS)
    dt_input: bool = _of('agent', True, 'tell the actor the elapsed time; else it always reads the nominal period')
    backend: str = _of(
        'agent', 'auto', 'what computes the updates; auto: numba where it can run, else torch', choices=BACKENDS
    )
    normalise: bool = _of('agent', True, 'freeze an observation normaliser after the start-up steps')
    batch_size: int = _of('train', 128, 'transitions that carry loss in one update', 1)
    n_episodes: int = _of('train', N_EPISODES, 'episodes at most; without a budget of steps 1000', 1)
    max_steps: int = _of('train', 1000, 'steps of an episode at most; hitting it is a truncation', 1)
    noise_scale: float = _of('train', 0.3, 'exploration noise: standard deviation over half the range of each action')
    noise_low: float = _of('train', 1.0, 'least share of noise_scale: each episode draws one from here to 1', 0, 1)
    noise_final: float = _of('train', 1.0, 'share of noise_scale left after lr_decay_steps; it falls as they do', 0, 1)
    gamma: float = _of('train', 0.99, 'discount of one nominal period', 0, 1)
    tau: float = _of('train', 0.005, 'share by which the target networks follow in one update', 0, 1, above=True)
    window_size: int = _of('train', 100, 'episodes between two status lines', 1)
    sequence_length: int = _of('train', 8, 'steps of a sequence that carry loss', 1)
    burn_in: int = _of('train', 0, 'steps before them that only bring the hidden state up to date', 0)
    episode_share: float = _of(
        'train',
        0.0,
        'share of the sequences that are drawn from episodes of equal weight, however long they were',
        0,
        1,
    )
    start_steps: int = _of('train', 128, 'steps with random actions before the first update', 0)
    update_ratio: float = _of('train', 1.0, 'updates per environment step')
    boost_ratio: float = _of('train', 10.0, 'updates per environment step at the beginning')
    boost_steps: int = _of('train', 3000, 'steps for which boost_ratio holds', 0)
    target_noise: float = _of('train', 0.2, "smoothing noise of the target policy's action (TD3), in half ranges")
    max_grad_norm: float = _of('train', 0.0, 'gradients above this norm are scaled down to it; 0: never')
    trace: float = _of('train', 0.9, 'lambda of the returns within a sequence; 0: one-step returns', 0, 1)
    reward_scale: float = _of('train', 1.0, 'rewards are multiplied by it before learning', above=True)
    critic_warm_up: int = _of(
        'train', 2000, 'steps in which only the critic learns, where training begins from a file', 0
    )
    lr_decay_steps: int = _of('train', 0, 'steps over which both learning rates fall, geometrically; 0: they stay', 0)
    lr_final: float = _of('train', 0.1, 'share of the learning rates left after lr_decay_steps', 0, 1, above=True)
    lr_decay_counts: str = _of(
        'train',
        STEPS,
        'which steps lr_decay_steps counts: all, or those of full episodes; a failed one takes half of them back',
        choices=(STEPS, FULL_EPISODES),
    )
    eval_every: int = _of(
        'train',
        IN_PROPORTION,
        'steps between evaluations; 0: none; -1: so rarely that they take about a tenth as many steps as training',
        IN_PROPORTION,
    )
    eval_episodes: int = _of('train', 10, 'episodes per evaluation', 1)
    eval_max_steps: int = _of('train', 0, 'steps of an episode at most in evaluations; 0: max_steps', 0)
    period_jitter: float = _of('env', 0.0, 'control periods last 1 - x to 1 + x times the nominal one', 0, LONGEST - 1)
    dropped_frames: float = _of('env', 0.0, 'chance that a frame is lost and the action held', 0, 0.99)
    max_dropped: int = _of('env', 3, 'most frames lost in a row', 0)
    action_delay: tuple[int, ...] = _of(
        'env', (0, 0), 'least and greatest delay of the actions in periods, drawn anew in each episode'
    )
    observation_noise: float = _of('env', 0.0, 'noise in standard deviations of each signal under random actions')
    positions_only: bool = _of('env', False, "whether the policy sees the joints' positions alone")
    privileged: bool = _of('env', True, 'whether the critic sees what the disturbances hide from the policy')

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, _checked(item, getattr(self, item.name)))
        if self.critic_neurons == 1:
            raise ConfigError(
                'critic_neurons is 1; it must be at least 2, one inter and one command neuron, or 0: none.'
            )
        if self.batch_size % self.sequence_length:
            raise ConfigError(
                f'batch_size is {self.batch_size} and sequence_length {self.sequence_length}; batch_size counts '
                'transitions and must be a multiple of sequence_length.'
            )
        if self.buffer_size < (needed := max(self.batch_size, self.burn_in + self.sequence_length)):
            raise ConfigError(
                f'buffer_size is {self.buffer_size}, but no update comes before the replay holds {needed} transitions '
                f'(batch_size {self.batch_size}, burn_in {self.burn_in} and sequence_length {self.sequence_length}); '
                'raise buffer_size, or lower the others.'
            )
        self.disturbances()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'TrainConfig':
        """
        Build a configuration; what is not named keeps its default.

        Raises:
            ConfigError: a name is unknown, or a value is not valid.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise ConfigError(f"there is no hyperparameter '{name}'.{did_you_mean(str(name), known)}")
        return cls(**values)

    @classmethod
    def from_yaml(cls, path: str | Path) -> 'TrainConfig':
        """
        Read a YAML file of ``name: value`` lines.

        Raises:
            ConfigError: the file is missing, no such YAML, or holds something that is not valid.
        """
        return cls.from_dict(read_yaml(path))

    def agent_arguments(self) -> dict[str, Any]:
        """Return the keywords for ``LiquidDDPG``."""
        return self._group('agent')

    def train_arguments(self) -> dict[str, Any]:
        """Return the keywords for ``LiquidDDPG.train``, ``batch_size`` included."""
        return self._group('train')

    @property
    def longest_evaluation(self) -> int:
        """Steps of an episode at most in evaluations."""
        return self.eval_max_steps or self.max_steps

    def disturbances(self) -> Disturbances:
        """Return what the environment is disturbed by, in training and in its evaluations."""
        return Disturbances(**self._group('env'))

    def _group(self, group: str) -> dict[str, Any]:
        return {
            item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.metadata['group'] == group
        }


def preset_path(env_id: str, preset: str = '') -> Path | None:
    """
    Return the shipped preset of an environment: ``config/train/ID.yaml``, or ``ID-PRESET.yaml`` for a named one.

    Returns:
        None where no name was asked for and the environment has no preset.

    Raises:
        ConfigError: there is no preset of that name.
    """
    stem = re.sub(r'[^\w.-]', '-', env_id)
    folder = share_path('config', 'train')
    path = folder / (f'{stem}-{preset}.yaml' if preset else f'{stem}.yaml')
    if path.is_file():
        return path
    if not preset:
        return None
    known = sorted(other.stem.removeprefix(f'{stem}-') for other in folder.glob(f'{stem}-*.yaml'))
    valid = f'valid are {", ".join(known)}' if known else 'it has none with a name; leave preset out, or pass a file'
    raise ConfigError(f"there is no preset '{preset}' for '{env_id}'; {valid}.")


def read_yaml(path: str | Path) -> dict[str, Any]:
    """
    Return a YAML file's mapping.

    Raises:
        ConfigError: the file cannot be read, or holds no mapping.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration '{path}' cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration '{path}' is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"the configuration '{path}' holds a {type(values).__name__}; it must hold 'name: value' lines."
        )
    return values


def read_keyword(text: str) -> tuple[str, Any]:
    """
    Return a keyword from ``name=value``; the value is YAML, so that a number, ``true`` and a text differ.

    Raises:
        ValueError: it is not of that form.
    """
    name, equals, value = text.partition('=')
    if not equals or not name.strip().isidentifier():
        raise ValueError(f"'{text}' is not name=value, as in frame_skip=5")
    try:
        read = yaml.load(value, _Loader)
    except (yaml.YAMLError, ValueError) as error:  # a date that does not exist is a ValueError
        raise ValueError(f"the value of '{text}' is not valid YAML; quote it") from error
    if (wrong := not_in_json(read)) is not None:
        raise ValueError(f"the value of '{text}' is read as {wrong}; {PLAIN}")
    return name.strip(), read


PLAIN = (
    'a keyword of the environment must be text (in quotes where YAML would take it for something else), a finite '
    'number, true, false, null, a list, or a mapping whose keys are text'
)
"""What may be a keyword of the environment in the records of a run."""


def not_in_json(value: Any) -> str | None:
    """Return what in a value JSON would not give back as it was; None: nothing, so that a run's records can hold it."""
    if value is None or isinstance(value, bool | int | str):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f'{value}, which is not finite'
    if isinstance(value, list):
        return next((wrong for one in value if (wrong := not_in_json(one)) is not None), None)
    if isinstance(value, dict):
        keys = [key for key in value if not isinstance(key, str)]
        return f'a mapping with the key {keys[0]!r}' if keys else not_in_json(list(value.values()))
    return f'a {type(value).__name__}'


def live_changes(changes: Mapping[str, Any], live: Iterable[str]) -> dict[str, float]:
    """
    Return changes of hyperparameters while training runs, as numbers that :class:`TrainConfig` would take.

    Args:
        changes: by name.
        live: names of those that may change.

    Raises:
        ConfigError: a name is none of them, or a value is not valid.
    """
    fields = {item.name: item for item in dataclasses.fields(TrainConfig)}
    names = tuple(live)
    for name in changes:
        if name not in names:
            what = 'may not change while training runs' if name in fields else 'is not a hyperparameter'
            raise ConfigError(f"'{name}' {what}.{did_you_mean(str(name), names)}")
    return {name: _checked(fields[name], value) for name, value in changes.items()}


def _checked(item: 'dataclasses.Field[Any]', value: Any) -> Any:
    """Return the value in its field's type, integers being welcome where numbers are; or refuse it."""
    kind: Any = item.type
    meta = item.metadata
    if kind == tuple[int, ...]:
        entries = tuple(value) if isinstance(value, list | tuple) else ()
        if not entries or not all(is_number(entry, int) and entry >= meta['low'] for entry in entries):
            raise ConfigError(f'{item.name} is {value!r}; it must be a list of integers of at least {meta["low"]}.')
        return tuple(int(entry) for entry in entries)
    if kind is bool:
        if not isinstance(value, bool | np.bool_):
            raise ConfigError(f'{item.name} is {value!r}; it must be true or false.')
        return bool(value)
    if kind is str:
        if value not in meta['choices']:
            valid = ', '.join(meta['choices'])
            raise ConfigError(f'{item.name} is {value!r}; it must be one of {valid}.')
        return value
    if (
        not is_number(value, kind)
        or not (meta['low'] <= value <= meta['high'])
        or (meta['above'] and value == meta['low'])
    ):
        low = f'above {meta["low"]}' if meta['above'] else f'at least {meta["low"]}'
        high = '' if meta['high'] == math.inf else f' and at most {meta["high"]}'
        name = 'an integer' if kind is int else 'a number'
        raise ConfigError(f'{item.name} is {value!r}; it must be {name}, {low}{high}.')
    return value if isinstance(value, DefaultEpisodes) else kind(value)


def is_number(value: Any, kind: Any) -> bool:
    """Say whether a value is a finite number of the kind, numpy's too; YAML reads 1e-4 as text, which is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return math.isfinite(value) and (kind is float or float(value).is_integer())
