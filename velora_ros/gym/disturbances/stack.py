"""
What goes wrong between a robot and its policy, each fault written once: pure, seeded, without a clock.

The wrappers of this room put these between an environment and its agent, sim_node between the simulated robot and ROS.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym.disturbances.random_streams import Stream

Array = npt.NDArray[np.float64]
Item = TypeVar('Item')


class Noise:
    """
    Gaussian noise that stays within bounds.

    Args:
        deviation: standard deviation of each value, in its unit, shape (n,).
        low: lowest value that can be read, shape (n,).
        high: highest value that can be read, shape (n,).
    """

    def __init__(self, deviation: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> None:
        self._deviation, self._low, self._high = np.asarray(deviation), np.asarray(low), np.asarray(high)

    def add(self, values: npt.NDArray[np.floating], rng: np.random.Generator) -> Array:
        """Return the values, shape (n,), with noise."""
        noisy: Array = np.clip(values + rng.normal(0.0, self._deviation), self._low, self._high)
        return noisy


class Losses:
    """
    Loses frames, each with the same chance.

    Args:
        probability: the chance that a frame is lost.
        most_in_a_row: most frames lost in a row; None sets no limit.
    """

    def __init__(self, probability: float, most_in_a_row: int | None = None) -> None:
        self._probability, self._most, self._in_a_row = probability, most_in_a_row, 0

    def restart(self) -> None:
        """Begin a new row."""
        self._in_a_row = 0

    def next_is_lost(self, rng: np.random.Generator) -> bool:
        """Decide about the next frame."""
        lost = self._in_a_row != self._most and bool(rng.random() < self._probability)
        self._in_a_row = self._in_a_row + 1 if lost else 0
        return lost


def period_length(rng: np.random.Generator, least: int, greatest: int) -> int:
    """Draw how many physics steps a control period lasts, evenly from ``least`` to ``greatest``."""
    return int(rng.integers(least, greatest + 1))


class DelayLine(Generic[Item]):
    """What is on its way: each item arrives at a time of its own, but none overtakes the one before."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Item]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over what is on its way, the next to arrive first."""
        return (item for _, item in self._waiting)

    @property
    def next_due(self) -> float:
        """When the next item arrives; infinite when nothing is on its way."""
        return self._waiting[0][0] if self._waiting else math.inf

    def put(self, item: Item, due: float) -> None:
        """Send an item that arrives at ``due``."""
        self._waiting.append((due, item))

    def take(self, now: float) -> list[Item]:
        """Return what arrived up to now, in the order in which it was sent."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now:
            arrived.append(self._waiting.popleft()[1])
        return arrived

    def clear(self) -> None:
        """Lose whatever is on its way."""
        self._waiting.clear()


@dataclass(frozen=True)
class FaultSettings:
    """
    What shall go wrong; the defaults change nothing.

    Args:
        noise: deviation of the noise in standard deviations of each signal under random commands
            (:func:`velora_ros.gym.signal_deviation`): none, one number for all, or one for each observation.
        observation_delay_s: how late an observation arrives [s].
        command_delay_s: how late a command takes effect [s].
        drop_probability: chance that a state is lost, for each on its own.
        jitter_s: each control period is up to this much longer or shorter, drawn evenly, in whole physics steps [s].
        stuck: observations, or joints with all of their observations, that keep the value they have now.
        nan: observations, or joints, that read NaN.
        nan_probability: chance of that in each state.
        frozen: whether the publisher sends its last message again and again, old stamp included.

    Raises:
        ConfigError: a value is out of range.
    """

    noise: Sequence[float] = ()
    observation_delay_s: float = 0.0
    command_delay_s: float = 0.0
    drop_probability: float = 0.0
    jitter_s: float = 0.0
    stuck: Sequence[str] = ()
    nan: Sequence[str] = ()
    nan_probability: float = 1.0
    frozen: bool = False

    def __post_init__(self) -> None:
        for name in ('noise', 'stuck', 'nan'):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # so that equal settings are equal
        for name in ('drop_probability', 'nan_probability'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'faults: {name} is {getattr(self, name)}; it must be from 0 to 1.')
        for name in ('observation_delay_s', 'command_delay_s', 'jitter_s'):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f'faults: {name} is {getattr(self, name)} s; it must be a time of at least 0.')
        if any(not 0 <= value < math.inf for value in self.noise):
            raise ConfigError(f'faults: noise is {list(self.noise)}; it must be finite and not negative.')

    def __str__(self) -> str:
        """Return what is not at its default; ``none`` when nothing is."""
        changed = [field for field in fields(self) if getattr(self, field.name) != field.default]
        return ', '.join(f'{field.name} {_words(getattr(self, field.name))}' for field in changed) or 'none'


class Faults:
    """
    The faults of one robot: what its readings turn into, which states are lost, how long its periods last.

    Each fault has a random stream of its own: the same seed gives the same faults, and one that is switched on or off
    does not change the others.

    Args:
        names: the observations' names, in their order; ``<joint>/<interface>`` where they belong to a joint.
        deviation: the unit of noise, each observation's standard deviation, shape (observation,); None as long as it is
            not known, when there is no noise.
        low: lowest value of each observation, shape (observation,).
        high: highest value of each observation, shape (observation,).
        seed: of all streams.
    """

    def __init__(self, names: Sequence[str], deviation: Array | None, low: Array, high: Array, seed: int) -> None:
        self._names, self._deviation, self._bounds = list(names), deviation, (low, high)
        self._rng = {name: Stream(f'faults.{name}') for name in ('noise', 'drop', 'nan', 'jitter')}
        self.counts: Counter[str] = Counter()
        """How many states or commands each fault hit so far."""
        self._stuck_at = np.full(len(self._names), np.nan)
        self.restart(seed)
        self.settings = FaultSettings()

    def restart(self, seed: int | None) -> None:
        """Begin all streams anew; without a seed go on."""
        for stream in self._rng.values():
            stream.on_reset(seed)

    @property
    def deviation(self) -> Array | None:
        """The unit of noise; may be set at any time."""
        return self._deviation

    @deviation.setter
    def deviation(self, deviation: Array | None) -> None:
        self._deviation = deviation
        self._noise = self._make_noise(self._settings)

    def _make_noise(self, settings: FaultSettings) -> Noise | None:
        if self._deviation is None or not any(settings.noise):
            return None
        return Noise(np.multiply(_one_or_each(settings.noise), self._deviation), *self._bounds)

    @property
    def settings(self) -> FaultSettings:
        """What goes wrong now; may be set at any time, raising as :meth:`check` does."""
        return self._settings

    @settings.setter
    def settings(self, settings: FaultSettings) -> None:
        self.check(settings)
        self._settings = settings
        self._noise = self._make_noise(settings)
        self._losses = Losses(settings.drop_probability)
        stuck = np.zeros(len(self._names), dtype=bool)
        stuck[self._indices('stuck', settings.stuck)] = True
        self._stuck_at[~stuck] = np.nan  # one that is stuck already keeps its value
        self._stuck, self._nan = stuck, self._indices('nan', settings.nan)

    def check(self, settings: FaultSettings) -> None:
        """
        Check that the settings fit this robot.

        Raises:
            ConfigError: there is no such observation or joint, or noise has the wrong length.
        """
        self._indices('stuck', settings.stuck)
        self._indices('nan', settings.nan)
        if len(settings.noise) not in (0, 1, len(self._names)):
            raise ConfigError(
                f'faults: noise has {len(settings.noise)} values; it must have one, or one for each of '
                f'{", ".join(self._names)}.'
            )

    def read(self, observation: Array) -> Array:
        """
        Return what is read instead of the true observation.

        Args:
            observation: shape (observation,); it is left alone, and returned itself where nothing goes wrong.
        """
        read = observation
        if self._noise is not None:
            read = self._noise.add(read, self._rng['noise'].rng)
            self.counts['noise'] += 1
        if self._stuck.any():
            first = self._stuck & np.isnan(self._stuck_at)
            self._stuck_at[first] = read[first]
            read = np.where(self._stuck, self._stuck_at, read)
            self.counts['stuck'] += 1
        if self._nan and self._rng['nan'].rng.random() < self._settings.nan_probability:
            read = np.array(read, dtype=np.float64)
            read[self._nan] = np.nan
            self.counts['nan'] += 1
        return read

    def loses_state(self) -> bool:
        """Decide whether the next state is lost."""
        lost = self._settings.drop_probability > 0 and self._losses.next_is_lost(self._rng['drop'].rng)
        self.counts['drop'] += lost
        return lost

    def period_steps(self, nominal: int, physics_step: float) -> int:
        """
        Draw how many physics steps the next control period lasts, at least one; the mean stays as it should be.

        Args:
            nominal: as it should be.
            physics_step: time of one [s].
        """
        spread = min(math.ceil(self._settings.jitter_s / physics_step - 1e-9), nominal - 1)
        if spread <= 0:
            return nominal
        steps = period_length(self._rng['jitter'].rng, nominal - spread, nominal + spread)
        self.counts['jitter'] += steps != nominal
        return steps

    def _indices(self, fault: str, chosen: Sequence[str]) -> list[int]:
        """Return the observations that are meant by names of observations or joints."""
        found: set[int] = set()
        for name in chosen:
            hit = [i for i, own in enumerate(self._names) if own == name or own.rpartition('/')[0] == name != '']
            if not hit:
                joints = {own.rpartition('/')[0] for own in self._names} - {''}
                raise ConfigError(f"faults: {fault} names '{name}'.{did_you_mean(name, {*joints, *self._names})}")
            found.update(hit)
        return sorted(found)


def _one_or_each(values: Sequence[float]) -> Array:
    return np.asarray(values if len(values) else [0.0], dtype=np.float64)


def _words(value: object) -> str:
    return ' '.join(map(str, value)) if isinstance(value, tuple) else str(value)
