"""
Every hyperparameter, in one place: name, type, default, valid values, unit and explanation.

The signatures and docstrings of ``LiquidDDPG`` and ``LiquidDDPG.train``, the flags of ``velora_ros train``, the
parameters of ``trainer_node``, the checks of presets, and docs/hyperparameters.md are made from :class:`TrainConfig`.
"""

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym import Disturbances
from velora_ros.liquid.cell_registry import CELLS, CFC
from velora_ros.training.presets import read_yaml

AGENT, TRAIN, ENV = 'agent', 'train', 'env'
STEPS, FULL_EPISODES = 'steps', 'full_episodes'
BACKENDS = ('auto', 'torch', 'numba')
IN_PROPORTION = -1  # for eval_every


class DefaultEpisodes(int):
    """The default of ``n_episodes``, which a budget of steps replaces; a number that the user gave is a plain int."""


def _of(
    group: str,
    default: Any,
    text: str,
    low: float = 0,
    high: float = math.inf,
    *,
    above: bool = False,
    choices: Collection[str] = (),
    unit: str = '',
    live: bool = False,
) -> Any:
    """
    Return the dataclass field for a hyperparameter.

    Args:
        group: ``AGENT`` for an argument of the constructor, ``TRAIN`` for ``train``, ``ENV`` for the environment.
        default: the default value.
        text: the explanation, one sentence without a full stop.
        low: smallest valid value.
        high: largest valid value.
        above: whether ``low`` itself is invalid.
        choices: the valid values of a string.
        unit: unit of a number, empty if it has none.
        live: whether it may change between two episodes.
    """
    limits = {'low': low, 'high': high, 'above': above, 'choices': choices}
    return field(default=default, metadata={'group': group, 'help': text, 'unit': unit, 'live': live, **limits})


def _disturbance(name: str, high: float = math.inf) -> Any:
    """Return the field for a hyperparameter that :class:`velora_ros.gym.Disturbances` defines."""
    setting = Disturbances.__dataclass_fields__[name]
    limits = setting.metadata
    return _of(ENV, setting.default, limits['help'], limits['low'], min(high, limits['high']), unit=limits['unit'])


@dataclass(frozen=True)
class TrainConfig:
    """
    The hyperparameters of a training run.

    Names and defaults are the same as in ``LiquidDDPG``, ``LiquidDDPG.train`` and, for the environment,
    :class:`velora_ros.gym.Disturbances`.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    n_neurons: int = _of(AGENT, 10, 'inter and command neurons of the actor', 2, unit='neurons')
    sparsity: float = _of(AGENT, 0.5, 'share of the possible synapses that each neuron lacks', 0, 1)
    critic_sizes: tuple[int, ...] = _of(
        AGENT, (64, 64), "sizes of the critic's hidden layers; the critic is never deployed", 1, unit='neurons'
    )
    n_critics: int = _of(AGENT, 1, 'number of critics; with 2, the smaller value is the target (TD3)', 1, 2)
    critic_neurons: int = _of(
        AGENT,
        0,
        'liquid neurons of a memory for the critic, for observations that do not show the whole state; 0: no memory',
        0,
        unit='neurons',
    )
    policy_tau: float = _of(
        AGENT,
        0.0,
        'share by which the deployed policy follows the actor in each update (Polyak averaging); 0: the deployed '
        'policy is the actor',
        0,
        1,
    )
    buffer_size: int = _of(AGENT, 100_000, 'capacity of the replay buffer', 1, unit='transitions')
    actor_lr: float = _of(AGENT, 1e-4, 'learning rate of the actor', above=True, live=True)
    critic_lr: float = _of(AGENT, 1e-3, 'learning rate of the critic', above=True, live=True)
    core_rate: float = _of(
        AGENT,
        1.0,
        "learning rate of the actor's recurrent layer, as a share of actor_lr",
        0,
    )
    motor_init: float = _of(AGENT, 1.0, "factor on the initial weights of the actor's motor layer", 0)
    cell: str = _of(
        AGENT,
        CFC,
        'recurrent layer of the actor: the liquid cfc, or a baseline with as many parameters',
        choices=CELLS,
    )
    dt_input: bool = _of(
        AGENT, True, 'whether the actor reads the elapsed time; otherwise it always reads the nominal period'
    )
    backend: str = _of(
        AGENT,
        'auto',
        'backend that computes the updates: torch, or compiled loops with numba; auto: numba if it can run, otherwise '
        'torch',
        choices=BACKENDS,
    )
    normalise: bool = _of(
        AGENT, True, 'whether observations are normalised with their statistics from the start-up steps'
    )
    least_deviation: float = _of(
        AGENT, 0.01, 'the smallest standard deviation by which normalisation divides an observation', above=True
    )
    score_limit: float = _of(
        AGENT,
        0.0,
        'the largest normalised value of an observation in the start-up steps; 0: no limit',
        unit='standard deviations',
    )
    batch_size: int = _of(
        TRAIN,
        128,
        'transitions that contribute to the loss in one update; a multiple of sequence_length',
        1,
        unit='transitions',
    )
    n_episodes: int = _of(
        TRAIN,
        DefaultEpisodes(1000),
        'largest number of episodes; the default does not limit a run with a budget of steps',
        1,
        unit='episodes',
    )
    max_steps: int = _of(
        TRAIN, 1000, 'largest number of steps of an episode; an episode that reaches it is truncated', 1, unit='steps'
    )
    noise_scale: float = _of(
        TRAIN, 0.3, 'standard deviation of the exploration noise', unit='half the action range', live=True
    )
    noise_low: float = _of(
        TRAIN, 1.0, 'each episode explores with a share of noise_scale drawn uniformly between this value and 1', 0, 1
    )
    noise_final: float = _of(
        TRAIN, 1.0, 'share of noise_scale that remains after lr_decay_steps; it falls with the learning rates', 0, 1
    )
    gamma: float = _of(TRAIN, 0.99, 'discount factor of one nominal period', 0, 1)
    tau: float = _of(TRAIN, 0.005, 'share by which the target networks follow in each update', 0, 1, above=True)
    window_size: int = _of(TRAIN, 100, 'episodes between two status lines', 1, unit='episodes')
    sequence_length: int = _of(TRAIN, 8, 'steps of each sampled sequence that contribute to the loss', 1, unit='steps')
    burn_in: int = _of(
        TRAIN, 0, 'steps before each sampled sequence that only update the hidden state', 0, unit='steps'
    )
    refresh_hidden: bool = _of(
        TRAIN,
        False,
        'whether the hidden states that an update of the actor computes replace those in the replay, which become '
        'outdated as the actor learns; only with a single environment',
    )
    episode_share: float = _of(
        TRAIN,
        0.0,
        'share of the sequences that are drawn with equal weight for each episode; the others are drawn uniformly from '
        'the replay',
        0,
        1,
    )
    start_steps: int = _of(
        TRAIN,
        128,
        'steps with random actions before the first update, counted over all calls of train',
        0,
        unit='steps',
    )
    update_ratio: float = _of(TRAIN, 1.0, 'updates per environment step', unit='updates per step', live=True)
    samples_per_transition: float = _of(
        TRAIN,
        0.0,
        'transitions sampled for each new one; replaces update_ratio and boost_ratio unless it is 0',
        unit='transitions per transition',
    )
    actor_every: int = _of(
        TRAIN, 1, 'the actor and its target network are updated in every actor_every-th update (TD3)', 1, unit='updates'
    )
    boost_ratio: float = _of(
        TRAIN, 10.0, 'updates per environment step for boost_steps steps after the start-up', unit='updates per step'
    )
    boost_steps: int = _of(TRAIN, 3000, 'steps after the start-up for which boost_ratio applies', 0, unit='steps')
    target_noise: float = _of(
        TRAIN,
        0.2,
        "standard deviation of the smoothing noise on the target policy's action (TD3); 0: none",
        unit='half the action range',
    )
    max_grad_norm: float = _of(TRAIN, 0.0, 'norm to which larger gradients are scaled down; 0: never')
    trace: float = _of(TRAIN, 0.9, 'lambda of the returns within a sequence; 0: one-step returns', 0, 1)
    trace_width: float = _of(
        TRAIN,
        0.0,
        "root mean square distance of an action from the target actor's action at which lambda falls to 0.61 of its "
        'value; 0: lambda does not fall',
        unit='half the action range',
    )
    mean_share: float = _of(
        TRAIN,
        0.0,
        'with 2 critics, share of their mean in the target; the smaller of their values has the remaining share',
        0,
        1,
    )
    motor_penalty: float = _of(
        TRAIN, 0.0, "weight, in the actor's loss, of the mean square of the inputs to the motor layer's tanh"
    )
    reward_scale: float = _of(TRAIN, 1.0, "factor by which the critic's rewards are multiplied", above=True)
    critic_warm_up: int = _of(
        TRAIN, 2000, 'steps in which only the critic learns, in a run that starts from a file', 0, unit='steps'
    )
    lr_decay_steps: int = _of(
        TRAIN, 0, 'steps over which both learning rates fall geometrically; 0: they are constant', 0, unit='steps'
    )
    lr_final: float = _of(TRAIN, 0.1, 'share of the learning rates that remains after lr_decay_steps', 0, 1, above=True)
    lr_decay_counts: str = _of(
        TRAIN,
        STEPS,
        'which steps lr_decay_steps counts: all of them, or those of full episodes; a failed episode halves that count',
        choices=(STEPS, FULL_EPISODES),
    )
    eval_every: int = _of(
        TRAIN,
        IN_PROPORTION,
        'steps between evaluations; 0: no evaluations; -1: evaluations take about a tenth as many steps as training',
        IN_PROPORTION,
        unit='steps',
    )
    eval_episodes: int = _of(TRAIN, 10, 'episodes of each evaluation', 1, unit='episodes')
    eval_max_steps: int = _of(
        TRAIN, 0, 'largest number of steps of an episode in evaluations; 0: the same as max_steps', 0, unit='steps'
    )
    period_jitter: float = _disturbance('period_jitter')
    dropped_frames: float = _disturbance('dropped_frames', high=0.99)
    max_dropped: int = _disturbance('max_dropped')
    action_delay: tuple[int, ...] = _disturbance('action_delay')
    observation_delay: tuple[int, ...] = _disturbance('observation_delay')
    observation_noise: float = _disturbance('observation_noise')
    observation_bias: float = _disturbance('observation_bias')
    positions_only: bool = _disturbance('positions_only')
    privileged: bool = _disturbance('privileged')

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, _checked(item, getattr(self, item.name)))
        if self.critic_neurons == 1:
            raise ConfigError(
                'critic_neurons is 1; it must be at least 2, one inter and one command neuron, or 0 for none.'
            )
        if self.batch_size % self.sequence_length:
            raise ConfigError(
                f'batch_size is {self.batch_size} and sequence_length {self.sequence_length}; batch_size counts '
                'transitions and must be a multiple of sequence_length.'
            )
        if self.buffer_size < (needed := max(self.batch_size, self.burn_in + self.sequence_length)):
            raise ConfigError(
                f'buffer_size is {self.buffer_size}, but the first update needs {needed} transitions in the replay '
                f'(batch_size {self.batch_size}, burn_in {self.burn_in} and sequence_length {self.sequence_length}); '
                'raise buffer_size, or lower the others.'
            )
        self.disturbances()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'TrainConfig':
        """
        Build a configuration; hyperparameters that are not named keep their defaults.

        Raises:
            ConfigError: a name is unknown, or a value is not valid.
        """
        known = names()
        for name in values:
            if name not in known:
                raise ConfigError(f"there is no hyperparameter '{name}'.{did_you_mean(str(name), known)}")
        return cls(**values)

    @classmethod
    def from_yaml(cls, path: str | Path) -> 'TrainConfig':
        """
        Read a YAML file of ``name: value`` lines.

        Raises:
            ConfigError: the file is missing, is not a YAML mapping, or contains an unknown name or an invalid value.
        """
        return cls.from_dict(read_yaml(path))

    def agent_arguments(self) -> dict[str, Any]:
        """Return the keywords for ``LiquidDDPG``."""
        return self._group(AGENT)

    def train_arguments(self) -> dict[str, Any]:
        """Return the keywords for ``LiquidDDPG.train``, ``batch_size`` included."""
        return self._group(TRAIN)

    def disturbances(self) -> Disturbances:
        """Return the disturbances of the environment, in training and in its evaluations."""
        return Disturbances(**self._group(ENV))

    @property
    def longest_evaluation(self) -> int:
        """Maximum length of an episode in evaluations [steps]."""
        return self.eval_max_steps or self.max_steps

    @property
    def n_sequences(self) -> int:
        """Number of sequences in a batch."""
        return self.batch_size // self.sequence_length

    def _group(self, group: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names(group)}


def fields(group: str = '') -> 'Iterator[dataclasses.Field[Any]]':
    """Yield the dataclass fields of all hyperparameters, or of one group."""
    return (item for item in dataclasses.fields(TrainConfig) if group in ('', item.metadata['group']))


def names(group: str = '') -> tuple[str, ...]:
    """Return the names of all hyperparameters, or of one group."""
    return tuple(item.name for item in fields(group))


LIVE = tuple(item.name for item in fields() if item.metadata['live'])
"""The hyperparameters that may change between two episodes."""


def without_effect(config: TrainConfig) -> dict[str, str]:
    """Return the hyperparameters that have no effect because of another one, by name, with the reason as a clause."""
    reasons = {
        'samples_per_transition replaces it': (config.samples_per_transition > 0, ('update_ratio', 'boost_ratio')),
        'lr_decay_steps is 0': (config.lr_decay_steps == 0, ('lr_final', 'lr_decay_counts', 'noise_final')),
        'trace is 0': (config.trace == 0, ('trace_width',)),
        'n_critics is 1': (config.n_critics == 1, ('mean_share',)),
        'normalise is false': (not config.normalise, ('least_deviation', 'score_limit')),
        'dropped_frames is 0': (config.dropped_frames == 0, ('max_dropped',)),
    }
    return {name: reason for reason, (holds, found) in reasons.items() if holds for name in found}


def live_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return changes of hyperparameters during training, converted to the types of :class:`TrainConfig`.

    Args:
        changes: new values, by name.

    Raises:
        ConfigError: a name is not one of :data:`LIVE`, or a value is not valid.
    """
    known = {item.name: item for item in fields()}
    for name in changes:
        if name not in LIVE:
            what = 'may not change while training runs' if name in known else 'is not a hyperparameter'
            raise ConfigError(f"'{name}' {what}.{did_you_mean(str(name), LIVE)}")
    return {name: _checked(known[name], value) for name, value in changes.items()}


def _checked(item: 'dataclasses.Field[Any]', value: Any) -> Any:
    """
    Return the value converted to the type of its field; an integer is valid for a field of type float.

    Raises:
        ConfigError: the value is not valid.
    """
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
    """Return whether a value is a finite number of the type ``kind``; numpy's numbers count too, strings do not."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return math.isfinite(value) and (kind is float or float(value).is_integer())


def explained(item: 'dataclasses.Field[Any]') -> str:
    """Return the explanation of a hyperparameter with its unit in brackets; it does not end in a full stop."""
    unit = item.metadata['unit']
    return f'{item.metadata["help"]} [{unit}]' if unit else str(item.metadata['help'])
