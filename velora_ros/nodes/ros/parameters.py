"""
ROS parameters from one table: declared with descriptors, checked before a change and applied after it as a unit.

Each node has its table, a tuple of :class:`Parameter`, in its own ``parameters.py``. In addition to rclpy, integers are
accepted for doubles, an empty list has the declared type, a misspelt name is refused with the nearest known one, and a
refusal gives its reason. Start-up parameters of other nodes, which a ``/**:`` key or ``SetParameter`` in a launch file
gives to all nodes, only cause a warning.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from velora_ros.errors import ConfigError, VeloraError, did_you_mean
from velora_ros.nodes.ros.rclpy_compat import Refused, start_values

Kind = Literal['bool', 'integer', 'double', 'string', 'integer_array', 'double_array', 'string_array']
Value = bool | int | float | str | list[int] | list[float] | list[str]
Values = dict[str, Any]

_ROS_TYPE = {
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
# Declared by rclpy: for every node, or when a topic is created.
_RCLPY = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')
# A start-up name at least this similar to one of the node's (as difflib measures it) is a misspelling of it.
MISSPELT = 0.8
# Well-known parameters of other nodes that are similar to some of ours.
_WELL_KNOWN = frozenset(('update_rate', 'publish_rate', 'frame_id', 'robot_description', 'speed'))


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
        canonical: converts the spellings of a string to one, before it is checked.
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
                f"parameter '{self.name}' is {item}{self._unit}; "
                f'it must be {_interval(self.range)}{self._unit}. {self.description}'
            )
        if self.choices and item not in self.choices:
            raise ConfigError(f"parameter '{self.name}' is '{item}'.{did_you_mean(str(item), self.choices)}")

    @property
    def _unit(self) -> str:
        return f' {self.unit}' if self.unit else ''

    def descriptor(self) -> ParameterDescriptor:
        """Return the descriptor, which ``ros2 param describe`` shows."""
        constraints = [f'one of: {", ".join(self.choices)}'] if self.choices else []
        if self.type.endswith('_array') and self.range is not None:  # descriptors have ranges for single numbers only
            constraints.append(f'each value must be {_interval(self.range)}{self._unit}')
        constraints += [f'read only: {self.read_only}'] if self.read_only else []
        descriptor = ParameterDescriptor(
            name=self.name,
            type=_ROS_TYPE[self.type].value,
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


class ParameterTable:
    """
    A node's parameters: ``table = ParameterTable(node, ROWS)``, then ``table['watchdog_timeout_s']``.

    Args:
        node: the node that declares them.
        rows: the table.
        validate: called before a change with all values as they would be after it; raises VeloraError to refuse it.
        apply: called after a change with all values; once if several parameters are set atomically.
        shared: start-up parameters of other nodes that are similar to this node's and are ignored.

    Raises:
        ConfigError: a start-up parameter is misspelt, has the wrong type, is out of range or refused.
    """

    def __init__(
        self,
        node: Node,
        rows: Sequence[Parameter],
        *,
        validate: Callable[[Values], None] = lambda values: None,
        apply: Callable[[Values], None] = lambda values: None,
        shared: Sequence[str] = (),
    ) -> None:
        self._shared = shared
        self._node = node
        self._rows = {row.name: row for row in rows}
        self._validate = validate
        self._apply = apply
        self._values = self._initial_values()
        self._validate(dict(self._values))
        for row in rows:
            _declare(node, row, self._values[row.name])
        node.add_pre_set_parameters_callback(self._coerce)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._commit)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def values(self) -> Values:
        """A copy of all values by name."""
        return dict(self._values)

    def _initial_values(self) -> Values:
        given = start_values(self._node)
        foreign = []
        for name in sorted(given.keys() - self._rows.keys()):
            if name.startswith(_RCLPY) or name in self._shared:
                continue
            if is_ours(name, self._rows):
                raise ConfigError(f"there is no parameter '{name}'.{did_you_mean(name, self._rows)}")
            foreign.append(name)
        warn_of_ignored(self._node, foreign)
        return {
            name: row.default if given.get(name) is None else row.check(given[name]) for name, row in self._rows.items()
        }

    def _coerce(self, changes: list[RosParameter]) -> list[RosParameter]:
        """Convert each change to its declared type; refuse unknown, read-only and invalid ones with a reason."""
        try:
            return [self._coerced(change) for change in changes]
        except ConfigError as error:
            raise Refused(str(error)) from error

    def _coerced(self, change: RosParameter) -> RosParameter:
        row = self._rows.get(change.name)
        if row is None:
            if change.name.startswith(_RCLPY):
                return change
            raise ConfigError(f"there is no parameter '{change.name}'.{did_you_mean(change.name, self._rows)}")
        if row.read_only:
            raise ConfigError(f"parameter '{row.name}' cannot change while the node runs: {row.read_only}")
        return RosParameter(row.name, _ROS_TYPE[row.type], row.check(change.value))

    def _after(self, changes: list[RosParameter]) -> Values:
        return self._values | {change.name: change.value for change in changes if change.name in self._rows}

    def _check(self, changes: list[RosParameter]) -> SetParametersResult:
        try:
            self._validate(self._after(changes))
        except VeloraError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _commit(self, changes: list[RosParameter]) -> None:
        after = self._after(changes)
        if after != self._values:
            self._values = after
            self._apply(dict(after))


def is_ours(name: str, known: Iterable[str]) -> bool:
    """
    Whether an unknown start-up parameter is meant for this node.

    It is if it begins with one of the node's own prefixes, such as ``observation.``, or is so similar to a known name
    that it must be a misspelling of it. Any other parameter belongs to another node.
    """
    names = list(known)
    prefixes = {other.partition('.')[0] for other in names if '.' in other}
    if name.partition('.')[0] in prefixes and '.' in name:
        return True
    return name not in _WELL_KNOWN and any(
        difflib.SequenceMatcher(None, name, other).ratio() >= MISSPELT or sorted(name) == sorted(other)
        for other in names
        if name.count('.') == other.count('.')
    )


def warn_of_ignored(node: Node, names: Sequence[str]) -> None:
    """Warn of start-up parameters that belong to other nodes; do nothing if there are none."""
    if names:
        node.get_logger().warning(
            f'ignored start-up parameters of other nodes: {", ".join(names)}; this node does not have them.'
        )


def _declare(node: Node, row: Parameter, value: Value) -> None:
    descriptor = row.descriptor()
    if value != []:
        node.declare_parameter(row.name, value, descriptor, ignore_override=True)
        return
    # rclpy takes an empty list for a byte array; only set_parameters with an explicit type stores another one.
    descriptor.read_only = False
    node.declare_parameter(row.name, _ROS_TYPE[row.type], descriptor, ignore_override=True)
    node.set_parameters([RosParameter(row.name, _ROS_TYPE[row.type], [])])
    if row.read_only:
        node.set_descriptor(row.name, row.descriptor())


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
