"""
The file of a sweep: which entries it may have, and the message for an invalid entry.

pydantic checks the entries. The hyperparameters' values are checked where the settings are made
(:mod:`velora_ros.sweep.settings`).
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from velora_ros.errors import ConfigError, MissingDependencyError, did_you_mean
from velora_ros.training.env_args import PLAIN, WITHOUT_POINT, not_in_json
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.utils.dependencies import how_to_install

try:
    from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
except ImportError as error:
    raise MissingDependencyError(
        f'a sweep needs {error.name or "pydantic"}, which is not installed. {how_to_install("sweep")}'
    ) from error

DIGITS = 4  # significant digits of a drawn number, so that the name of a run folder shows the exact value
TEXTS = {
    'dict_type': "it must hold 'name: value' lines",
    'float_type': 'it must be a number (YAML reads 1e-4 as text, 1.0e-4 as a number)',
    'int_type': 'it must be an integer',
    'list_type': 'it must be a list',
    'model_type': "it must hold 'name: value' lines",
    'too_long': 'it has too many entries',
    'too_short': 'it has too few entries',
}
"""Texts that replace pydantic's texts, by the type of error."""


def _hyperparameter(name: str) -> str:
    known = {item.name for item in dataclasses.fields(TrainConfig)}
    if name not in known:
        raise ValueError(f"there is no hyperparameter '{name}'.{did_you_mean(name, known)}")
    if name == 'n_episodes':
        raise ValueError('n_episodes cannot be set: the trials of a sweep end after a number of steps. Remove it.')
    return name


def _seeds(value: Any) -> Any:
    """Return the list of seeds for a text like ``0-4``, and any other value unchanged."""
    if not isinstance(value, str):
        return value
    ends = re.fullmatch(r'(\d+)-(\d+)', value)
    if ends is None or int(ends[1]) > int(ends[2]):
        raise ValueError("it must be a list of integers, or the first and the last seed, as in '0-4'")
    return list(range(int(ends[1]), int(ends[2]) + 1))


def _unique(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError('it must not contain a seed twice')
    return seeds


def _in_order(ends: list[float]) -> list[float]:
    if ends[0] >= ends[1]:
        raise ValueError('it must be two numbers, the lower number first')
    return ends


def _above_zero(ends: list[float]) -> list[float]:
    if ends[0] <= 0:
        raise ValueError('it must start above 0')
    return ends


def _keywords(values: dict[str, Any]) -> dict[str, Any]:
    if (wrong := not_in_json(values)) is not None:
        raise ValueError(f'env_args holds {wrong}; {PLAIN}.')
    for name, value in values.items():
        if isinstance(value, str) and WITHOUT_POINT.match(value):
            point = re.sub('[eE]', '.0e', value)
            raise ValueError(f"env_args has the text '{value}' for {name}; YAML reads {point} as a number.")
    return values


def _scheduler(value: Any) -> Any:
    if value is not None and value != 'asha' and not isinstance(value, dict):
        raise ValueError('it must be asha, or {asha: {grace_steps: N, reduction_factor: X}}')
    return {'asha': {}} if value == 'asha' else value


def _none_is_empty(value: Any) -> Any:
    return {} if value is None else value


Whole = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Name = Annotated[str, AfterValidator(_hyperparameter)]
Ends = Annotated[list[Number], Field(min_length=2, max_length=2), AfterValidator(_in_order)]
Lines = BeforeValidator(_none_is_empty)


class Entries(BaseModel):
    """Base class of the file's mappings: other names than the fields are refused, and all numbers must be finite."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)

    @model_validator(mode='before')
    @classmethod
    def _check_names(cls, values: Any) -> Any:
        for name in values if isinstance(values, dict) else ():
            if name not in cls.model_fields:
                raise ValueError(f"there is no entry '{name}'.{did_you_mean(str(name), cls.model_fields)}")
        return values


class Range(Entries):
    """The values from which a hyperparameter is drawn; exactly one of the three fields is set."""

    choice: list[Any] | None = Field(None, min_length=1)
    uniform: Ends | None = None
    loguniform: Annotated[Ends, AfterValidator(_above_zero)] | None = None

    @model_validator(mode='after')
    def _check_one(self) -> 'Range':
        if len(self.model_fields_set) != 1 or None in (getattr(self, name) for name in self.model_fields_set):
            raise ValueError('it must have one of choice: [a, b, c], uniform: [low, high] or loguniform: [low, high]')
        return self

    @property
    def values(self) -> list[Any]:
        """The choices, or the lowest and the highest value."""
        return self.choice or self.uniform or self.loguniform or []

    def draw(self, rng: Any, *, whole: bool) -> Any:
        """Return one value, an integer where ``whole``; ``rng`` is a numpy generator."""
        if self.choice:
            return self.choice[rng.integers(len(self.choice))]
        low, high = map(int, self.values) if whole else self.values
        if self.loguniform:
            value = math.exp(rng.uniform(math.log(low), math.log(high)))
        else:
            value = float(rng.integers(low, high, endpoint=True)) if whole else rng.uniform(low, high)
        value = round(value) if whole else float(f'{value:.{DIGITS}g}')
        return min(max(value, low), high)


class Sample(BaseModel):
    """How many settings are drawn, and the range of each hyperparameter."""

    model_config = ConfigDict(extra='allow', allow_inf_nan=False, frozen=True)
    __pydantic_extra__: dict[str, Range]

    count: Whole
    seed: Annotated[int, Field(strict=True, ge=0)] = 0

    @model_validator(mode='after')
    def _check_names(self) -> 'Sample':
        for name in self.ranges:
            _hyperparameter(name)
        return self

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges by hyperparameter, in the order of the file."""
        return self.__pydantic_extra__


class AshaEntries(Entries):
    """The settings of :class:`velora_ros.sweep.plan.Asha`."""

    grace_steps: Whole | None = None
    reduction_factor: Annotated[float, Field(strict=True, gt=1)] = 3


class Scheduler(Entries):
    """The scheduler, which stops bad trials early."""

    asha: AshaEntries


class SweepFile(Entries):
    """The entries of a sweep file, as ``docs/sweep.md`` explains them."""

    env: Annotated[str, Field(strict=True, min_length=1)]
    steps: Whole
    seeds: Annotated[list[Seed], Field(min_length=1), BeforeValidator(_seeds), AfterValidator(_unique)] = [0]
    preset: Annotated[str, Field(strict=True)] = ''
    fixed: Annotated[dict[Name, Any], Lines] = {}
    grid: Annotated[dict[Name, Annotated[list[Any], Field(min_length=1)]], Lines] = {}
    sample: Annotated[Sample | None, BeforeValidator(lambda value: value or None)] = None
    settings: Annotated[list[dict[Name, Any]], Field(min_length=1)] | None = None
    scheduler: Annotated[Scheduler | None, BeforeValidator(_scheduler)] = None
    cpus_per_trial: Whole = 1
    max_concurrent: Whole | None = None
    rank_by: Literal['last', 'best'] = 'last'
    control_period: Annotated[float, Field(strict=True, gt=0)] | None = None
    env_args: Annotated[dict[str, Any], Lines, AfterValidator(_keywords)] = {}

    @model_validator(mode='after')
    def _check_together(self) -> 'SweepFile':
        if self.settings is not None and (self.grid or self.sample):
            raise ValueError('settings cannot be combined with grid or sample; remove one of them.')
        places: dict[str, Mapping[str, Any]] = {
            'fixed': self.fixed, 'grid': self.grid, 'sample': self.sample.ranges if self.sample else {}
        }  # fmt: skip
        for name in [*self.fixed, *self.grid]:
            if len(found := [place for place, values in places.items() if name in values]) > 1:
                raise ValueError(f'{name} is under {found[0]} and under {found[1]}; it must be under only one of them.')
        if self.grace_steps >= self.steps and self.scheduler:
            raise ValueError(f'scheduler.asha.grace_steps is {self.grace_steps}; it must be below steps, {self.steps}.')
        return self

    @property
    def grace_steps(self) -> int:
        """Steps before which the scheduler stops no trial."""
        given = self.scheduler.asha.grace_steps if self.scheduler else None
        return given or max(self.steps // 10, 1)

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> 'SweepFile':
        """
        Check the values of a sweep file and return its entries.

        Raises:
            ConfigError: an entry is unknown or invalid; the message names the first such entry.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_message(error)) from None


def _message(error: ValidationError) -> str:
    """Return a sentence for the first error: the entry, its value and what is valid."""
    first = error.errors()[0]
    location, cause = first['loc'], first.get('ctx', {}).get('error')
    if location[-1:] == ('[key]',):
        location = location[:-2]
    place = '.'.join(map(str, location))
    if first['type'] == 'missing':
        return f'{place} is missing.'
    text = TEXTS.get(first['type']) or first['msg'].replace('Input should', 'it must')
    text = text if cause is None else str(cause)
    if text.startswith('it '):
        return f'{place} is {first["input"]!r}; {text}.'
    return f'{place}: {text}' if place else text
