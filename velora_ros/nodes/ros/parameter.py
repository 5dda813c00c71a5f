"""
One ROS parameter: its name, type, default, description and valid values, the check of a value, and the descriptor.

Each node has a table of them in its own ``parameters.py``. ``parameter_table.py`` declares a table on a node.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.parameter import Parameter as RosParameter

from velora_ros.errors import ConfigError, did_you_mean

Kind = Literal['bool', 'integer', 'double', 'string', 'integer_array', 'double_array', 'string_array']
Value = bool | int | float | str | list[int] | list[float] | list[str]
Values = dict[str, Any]

ROS_TYPES = {
    'bool': RosParameter.Type.BOOL,
    'integer': RosParameter.Type.INTEGER,
    'double': RosParameter.Type.DOUBLE,
    'string': RosParameter.Type.STRING,
    'integer_array': RosParameter.Type.INTEGER_ARRAY,
    'double_array': RosParameter.Type.DOUBLE_ARRAY,
    'string_array': RosParameter.Type.STRING_ARRAY,
}
_TYPE_NAMES = {
    'bool': 'true or false',
    'integer': 'an integer',
    'double': 'a finite number',
    'string': 'a string',
    'integer_array': 'a list of integers',
    'double_array': 'a list of finite numbers',
    'string_array': 'a list of strings',
}


@dataclass(frozen=True)
class Parameter:
    """
    One row of a node's parameter table.

    Args:
        name: the parameter's name, dots allowed.
        type: one of bool, integer, double, string, integer_array, double_array, string_array.
        default: its value if it is not set; an empty list means "unset".
        description: one sentence for ``ros2 param describe`` and the docs.
        unit: for example ``s``; ``''`` if it has none.
        range: (lowest, highest) valid value of a number, or of each number in a list.
        choices: the only valid strings; empty if any string is valid.
        read_only: the reason why it cannot change while the node runs; ``''`` if it can.
        canonical: converts every spelling of a string to a single one, before the check.
        lenient: whether a list of strings can be given as one string, or can contain numbers.
    """

    name: str
    type: Kind
    default: Value
    description: str
    unit: str = ''
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    read_only: str = ''
    canonical: Callable[[str], str] | None = None
    lenient: bool = False

    def check(self, value: Any) -> Any:
        """
        Return ``value`` in the declared type.

        Raises:
            ConfigError: the value has the wrong type, is not finite, out of range or not one of the choices.
        """
        converted = _convert(self.type, _as_strings(value) if self.lenient else value)
        if converted is None:
            raise ConfigError(f"parameter '{self.name}' is {value!r}; it must be {_TYPE_NAMES[self.type]}.")
        if self.canonical is not None:
            converted = self.canonical(converted)
        for item in converted if isinstance(converted, list) else [converted]:
            self._check_item(item)
        return converted

    def _check_item(self, item: Any) -> None:
        if self.range is not None and not self.range[0] <= item <= self.range[1]:
            raise ConfigError(
                f"parameter '{self.name}' is {item}{'' if ' ' in self.unit else self._unit}; "
                f'it must be {self._valid}. {self.description}'
            )
        if self.choices and item not in self.choices:
            raise ConfigError(f"parameter '{self.name}' is '{item}'.{did_you_mean(str(item), self.choices)}")

    @property
    def _unit(self) -> str:
        return f' {self.unit}' if self.unit else ''

    @property
    def _valid(self) -> str:
        assert self.range is not None
        return (
            f'{_interval(self.range)} (unit: {self.unit})' if ' ' in self.unit else _interval(self.range) + self._unit
        )

    def descriptor(self) -> ParameterDescriptor:
        """Return the descriptor, which ``ros2 param describe`` shows."""
        constraints = [f'one of: {", ".join(self.choices)}'] if self.choices else []
        if self.type.endswith('_array') and self.range is not None:  # descriptors have ranges for single numbers only
            constraints.append(f'each value must be {self._valid}')
        constraints += [f'read only: {self.read_only}'] if self.read_only else []
        descriptor = ParameterDescriptor(
            name=self.name,
            type=ROS_TYPES[self.type].value,
            description=f'{self.description} [{self.unit}]' if self.unit else self.description,
            additional_constraints='; '.join(constraints),
            read_only=bool(self.read_only),
        )
        if self.range is not None and self.type == 'double':
            low, high = map(float, self.range)
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
        if self.range is not None and self.type == 'integer':
            low, high = (int(max(min(bound, 2**63 - 1), -(2**63))) for bound in self.range)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
        return descriptor


def _convert(kind: Kind, value: Any) -> Any:
    """Return the value in the declared type, or None if it has another type; integers are valid doubles."""
    if kind == 'double_array' and isinstance(value, int | float):
        value = [value]  # a single number may be written without brackets
    if kind.endswith('_array'):
        if isinstance(value, str) or not isinstance(value, Iterable):  # rclpy hands over lists, tuples and array.array
            return None
        items = [_convert(cast(Kind, kind.removesuffix('_array')), item) for item in value]
        return None if None in items else items
    if kind == 'double':
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if good else None
    types: dict[str, type] = {'bool': bool, 'integer': int, 'string': str}
    good = isinstance(value, types[kind]) and not (kind == 'integer' and isinstance(value, bool))
    return value if good else None


def _as_strings(value: Any) -> Any:
    """Return a list with its numbers as strings, and a single string or number as a list of one."""
    if isinstance(value, str | int | float):
        value = [value]
    numbers = not isinstance(value, Iterable) or all(isinstance(item, str | int | float) for item in value)
    return [item if isinstance(item, str) else f'{item!r}' for item in value] if numbers else value


def _interval(bounds: tuple[float, float]) -> str:
    low, high = bounds
    if high == math.inf:
        return f'at least {low:g}'
    if low == -math.inf:
        return f'at most {high:g}'
    return f'from {low:g} to {high:g}'
