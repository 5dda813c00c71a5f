"""The word that both ends share: what a policy reads, what it commands, in which order, units and bounds, how often."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import SpecError


@dataclass(frozen=True)
class PolicySpec:
    """
    What goes into a policy and what comes out of it.

    Names follow ros2_control: ``<joint>/<position|velocity|effort>``; a signal that belongs to no joint is
    ``obs_<i>`` or ``action_<i>``.

    Args:
        observation_names: one name per observation entry, in the policy's order; unique.
        observation_units: one unit per observation entry, e.g. ``rad``; ``''`` where unknown.
        action_names: one name per action entry, in the policy's order; unique.
        action_units: one unit per action entry.
        action_low: lower bound of each action, in its unit; finite.
        action_high: upper bound of each action, in its unit; finite, above ``action_low``.
        control_period: nominal time between two observations, T [s]; positive.
        control_period_assumed: whether T is an assumption, because the environment did not say it. Older files do not
            have this field; it is then False.

    Raises:
        SpecError: lengths differ, names repeat, a bound is not finite or not ordered, the period is not positive.
    """

    observation_names: tuple[str, ...]
    observation_units: tuple[str, ...]
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    control_period: float
    control_period_assumed: bool = False

    def __post_init__(self) -> None:
        _check_names('observation_names', self.observation_names)
        _check_names('action_names', self.action_names)
        _check_length('observation_units', self.observation_units, self.observation_dim)
        for field in ('action_units', 'action_low', 'action_high'):
            _check_length(field, getattr(self, field), self.action_dim)
        for name, low, high in zip(self.action_names, self.action_low, self.action_high, strict=True):
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise SpecError(
                    f"action '{name}' has the bounds [{low}, {high}]; both must be finite and low below high. "
                    'Bound the action in the environment, for example with gymnasium.wrappers.RescaleAction.'
                )
        if not (np.isfinite(self.control_period) and self.control_period > 0):
            raise SpecError(f'control_period is {self.control_period} s; it must be a positive number of seconds.')

    @property
    def observation_dim(self) -> int:
        """Number of observation entries."""
        return len(self.observation_names)

    @property
    def action_dim(self) -> int:
        """Number of action entries."""
        return len(self.action_names)

    @cached_property
    def low(self) -> npt.NDArray[np.float64]:
        """Lower action bounds, shape (action,)."""
        return np.asarray(self.action_low, dtype=np.float64)

    @cached_property
    def high(self) -> npt.NDArray[np.float64]:
        """Upper action bounds, shape (action,)."""
        return np.asarray(self.action_high, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """
        Return the spec as JSON-ready builtins; :meth:`from_dict` reads it back.

        A field with a default is left out while it has that value, so that older files keep their digest.
        """
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        for name, default in _optional().items():
            if values[name] == default:
                del values[name]
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'PolicySpec':
        """
        Build a spec from :meth:`to_dict`'s output.

        Raises:
            SpecError: a field is missing, unknown, or not of its type.
        """
        known = cls.__dataclass_fields__
        optional = _optional()
        if missing := known.keys() - data.keys() - optional.keys():
            required = ', '.join(name for name in known if name not in optional)
            raise SpecError(f'the policy spec lacks {", ".join(sorted(missing))}; it must have {required}.')
        if unknown := data.keys() - known.keys():
            raise SpecError(
                f'the policy spec has unknown fields {", ".join(sorted(unknown))}; known: {", ".join(known)}.'
            )
        try:
            return cls(
                observation_names=_strings(data['observation_names']),
                observation_units=_strings(data['observation_units']),
                action_names=_strings(data['action_names']),
                action_units=_strings(data['action_units']),
                action_low=_floats(data['action_low']),
                action_high=_floats(data['action_high']),
                control_period=float(data['control_period']),
                control_period_assumed=_boolean(data.get('control_period_assumed', False)),
            )
        except (TypeError, ValueError) as error:
            if isinstance(error, SpecError):
                raise
            raise SpecError(f'the policy spec has a field of the wrong type: {error}.') from error


def _optional() -> dict[str, Any]:
    """Return the fields that a file may leave out, with their defaults."""
    return {item.name: item.default for item in fields(PolicySpec) if item.default is not MISSING}


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f'{value!r} is not true or false')
    return value


def _strings(values: Sequence[Any]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise TypeError(f'{values!r} is not a list of strings')
    return tuple(values)


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _check_names(field: str, names: Sequence[str]) -> None:
    if not names:
        raise SpecError(f'{field} is empty; a policy needs at least one.')
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SpecError(f'{field} repeats {", ".join(repeated)}; every name must be unique.')


def _check_length(field: str, values: Sequence[Any], expected: int) -> None:
    if len(values) != expected:
        raise SpecError(f'{field} has {len(values)} entries; {expected} were expected, one for each name.')
