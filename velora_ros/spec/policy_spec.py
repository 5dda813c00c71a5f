"""What a policy observes and commands: names, units, bounds and order, and the nominal control period."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import SpecError
from velora_ros.spec.json_fields import from_json, to_json
from velora_ros.spec.robot_contract import RobotContract

# A factor in front of a unit, as in files of version 1: '100 N' where one unit of action is 100 N.
_FACTOR = re.compile(r'([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s+(\S.*)')


@dataclass(frozen=True)
class PolicySpec:
    """
    The observations that a policy reads and the actions that it returns.

    Names follow ros2_control: ``<joint>/<position|velocity|effort>``; a signal that belongs to no joint is
    ``obs_<i>`` or ``action_<i>``.

    An action has two values: one in the policy's own units, for ``env.step``, and one in SI units, for a robot. The SI
    value is ``action_scale * action + action_offset``.

    Args:
        observation_names: one name per observation entry, in the policy's order; unique.
        observation_units: one unit per observation entry, e.g. ``rad``; ``''`` if unknown.
        action_names: one name per action entry, in the policy's order; unique.
        action_units: the SI unit of each action's SI value; ``''`` where unknown.
        action_low: lower bound of each action, in the policy's own units; finite.
        action_high: upper bound of each action, in the policy's own units; finite, above ``action_low``.
        control_period: nominal time between two observations, T [s]; positive.
        control_period_assumed: whether T is an assumption because the environment does not state it. False for older
            files, which do not have this field.
        action_scale: factor from each action to its SI value; finite, not zero. Empty: 1 for all.
        action_offset: SI value of each action when the action is 0; finite. Empty: 0 for all.
        action_holds: for actions that are not named after a joint: whether the action drives a position servo, so that
            the robot stays where it is while the action is held, and moves when the action becomes zero. Empty: False
            for all.
        contract: how the policy is connected to a robot; None if unknown, as for environments without a task.

    Raises:
        SpecError: lengths differ, names repeat, a bound is not finite or not ordered, the period is not positive, a
            unit begins with a factor, a scale is zero or not finite, an offset is not finite.
    """

    observation_names: tuple[str, ...]
    observation_units: tuple[str, ...]
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    control_period: float
    control_period_assumed: bool = False
    action_scale: tuple[float, ...] = ()
    action_offset: tuple[float, ...] = ()
    action_holds: tuple[bool, ...] = ()
    contract: RobotContract | None = None

    def __post_init__(self) -> None:
        _check_names('observation_names', self.observation_names)
        _check_names('action_names', self.action_names)
        _check_length('observation_units', self.observation_units, self.observation_dim)
        for field in ('action_units', 'action_low', 'action_high'):
            _check_length(field, getattr(self, field), self.action_dim)
        for name, low, high in zip(self.action_names, self.action_low, self.action_high, strict=True):
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise SpecError(
                    f"action '{name}' has the bounds [{low}, {high}]; both must be finite, and the low "
                    'bound must be below the high one. '
                    'Bound the action in the environment, or with gymnasium.wrappers.TransformAction and a bounded Box.'
                )
        if not (np.isfinite(self.control_period) and self.control_period > 0):
            raise SpecError(f'control_period is {self.control_period} s; it must be a positive number of seconds.')
        for unit in self.action_units:
            if split_unit(unit) is not None:
                raise SpecError(f"action_units has '{unit}'; give the SI unit alone, and the factor in action_scale.")
        self._check_affine('action_scale', nothing=1.0)
        self._check_affine('action_offset', nothing=0.0)
        if self.action_holds:
            _check_length('action_holds', self.action_holds, self.action_dim)
        if not any(self.action_holds):
            object.__setattr__(self, 'action_holds', ())
        if self.contract is not None:
            _check_length('contract.fields', self.contract.fields, self.observation_dim)
            _check_length('contract.command.fields', self.contract.command.fields, self.action_dim)

    def _check_affine(self, field: str, *, nothing: float) -> None:
        """Check a scale or an offset. If it has no effect it becomes empty, so that equivalent specs compare equal."""
        values: tuple[float, ...] = getattr(self, field)
        if values:
            _check_length(field, values, self.action_dim)
        for name, value in zip(self.action_names, values, strict=False):
            if not np.isfinite(value) or (value == 0 and nothing == 1):
                valid = 'finite and not zero' if nothing == 1 else 'finite'
                raise SpecError(f"{field} of '{name}' is {value}; it must be {valid}.")
        if all(value == nothing for value in values):
            object.__setattr__(self, field, ())

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

    @property
    def scale(self) -> tuple[float, ...]:
        """Factor from each action to its SI value, one number per action."""
        return self.action_scale or (1.0,) * self.action_dim

    @property
    def offset(self) -> tuple[float, ...]:
        """SI value of each action when the action is 0, one number per action."""
        return self.action_offset or (0.0,) * self.action_dim

    def to_si(self, action: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the SI values of actions, shape (..., action); :meth:`from_si` is the inverse."""
        return np.asarray(action, dtype=np.float64) * self.scale + self.offset

    def from_si(self, command: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the actions in the policy's own units that have these SI values, shape (..., action)."""
        return (np.asarray(command, dtype=np.float64) - self.offset) / self.scale

    @cached_property
    def si_low(self) -> npt.NDArray[np.float64]:
        """Lowest SI value of each action, shape (action,)."""
        return np.minimum(self.to_si(self.low), self.to_si(self.high))

    @cached_property
    def si_high(self) -> npt.NDArray[np.float64]:
        """Highest SI value of each action, shape (action,)."""
        return np.maximum(self.to_si(self.low), self.to_si(self.high))

    def differences(self, other: 'PolicySpec') -> list[tuple[str, Any, Any]]:
        """Return the name of each field that differs, with its value in this spec and in the other spec."""
        pairs = [(item.name, getattr(self, item.name), getattr(other, item.name)) for item in fields(self)]
        found = [(name, here, there) for name, here, there in pairs if here != there]
        if self.contract is None or other.contract is None or not found or found[-1][0] != 'contract':
            return found
        parts = self.contract.differences(other.contract)
        return [*found[:-1], *((f'contract.{name}', here, there) for name, here, there in parts)]

    def with_actions_of(self, other: 'PolicySpec') -> 'PolicySpec':
        """
        Return this spec with the other's action names, units and scales, if both can mean the same actions.

        Otherwise this spec is returned unchanged.

        Releases before version 2 of the policy file named an action after its actuator's joint without verifying it,
        and rounded its scale to six digits.
        """
        pairs = enumerate(zip(self.action_names, other.action_names, strict=False))
        if self.action_dim != other.action_dim or any(new not in (old, f'action_{i}') for i, (old, new) in pairs):
            return self
        of_actions = ('action_names', 'action_units', 'action_scale', 'action_offset', 'action_holds')
        return replace(self, **{name: getattr(other, name) for name in of_actions})

    @property
    def is_extended(self) -> bool:
        """Whether the spec uses a field that exists only since version 2 of the policy file."""
        return any(getattr(self, name) != default for name, default in _optional().items())

    def to_dict(self) -> dict[str, Any]:
        """
        Return the spec as a JSON-ready dictionary; :meth:`from_dict` reads it back.

        A field that has its default value is omitted, so that older files keep their digest.
        """
        return to_json(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'PolicySpec':
        """
        Build a spec from :meth:`to_dict`'s output.

        Older dictionaries have the scale in the unit, for example ``100 N``; it becomes ``N`` with a scale of 100.

        Raises:
            SpecError: a field is missing, unknown or of the wrong type.
        """
        known = cls.__dataclass_fields__
        optional = _optional()
        if missing := known.keys() - data.keys() - optional.keys():
            required = ', '.join(name for name in known if name not in optional)
            raise SpecError(f'the policy spec lacks {", ".join(sorted(missing))}; it must have {required}.')
        if unknown := data.keys() - known.keys():
            raise SpecError(
                f'the policy spec has unknown fields {", ".join(sorted(unknown))}; it can have {", ".join(known)}.'
            )
        try:
            units, scale = _strings(data['action_units']), _floats(data.get('action_scale', ()))
            if not scale:
                units, scale = _without_factors(units)
            return cls(
                observation_names=_strings(data['observation_names']),
                observation_units=_strings(data['observation_units']),
                action_names=_strings(data['action_names']),
                action_units=units,
                action_low=_floats(data['action_low']),
                action_high=_floats(data['action_high']),
                control_period=float(data['control_period']),
                control_period_assumed=_boolean(data.get('control_period_assumed', False)),
                action_scale=scale,
                action_offset=_floats(data.get('action_offset', ())),
                action_holds=tuple(_boolean(value) for value in data.get('action_holds', ())),
                contract=from_json(RobotContract, data['contract'], 'contract') if 'contract' in data else None,
            )
        except (TypeError, ValueError) as error:
            if isinstance(error, SpecError):
                raise
            raise SpecError(f'the policy spec has a field of the wrong type: {error}.') from error


def split_unit(unit: str) -> tuple[float, str] | None:
    """Return the factor and the unit in a text like ``100 N``; None if the text does not begin with a factor."""
    found = _FACTOR.fullmatch(unit)
    return (float(found[1]), found[2]) if found else None


def _without_factors(units: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Split units into units and scales. The unit of an actuator with the factor 0, which has no effect, becomes ''."""
    split = [split_unit(unit) or (1.0, unit) for unit in units]
    split = [(factor, unit) if factor else (1.0, '') for factor, unit in split]
    return tuple(unit for _, unit in split), tuple(factor for factor, _ in split)


def _optional() -> dict[str, Any]:
    """Return the fields that a file may omit, with their defaults."""
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
        raise SpecError(f'{field} is empty; a policy needs at least one name.')
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SpecError(f'{field} repeats {", ".join(repeated)}; every name must be unique.')


def _check_length(field: str, values: Sequence[Any], expected: int) -> None:
    if len(values) != expected:
        raise SpecError(f'{field} has {len(values)} entries; it must have {expected}, one for each name.')
