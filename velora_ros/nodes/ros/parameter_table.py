"""
The parameters of a node: declared from a table, checked before a change and applied after it as a unit.

Unlike in plain rclpy, integers are accepted for doubles, an empty list has the declared type, the error for a misspelt
name gives the nearest known one, and every refusal gives its reason. Start-up parameters of other nodes, which a
``/**:`` key or ``SetParameter`` in a launch file gives to all nodes, only cause a warning.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from velora_ros.errors import ConfigError, VeloraError, did_you_mean
from velora_ros.nodes.ros.parameter import ROS_TYPES, Parameter, Value, Values
from velora_ros.nodes.ros.rclpy_compat import Refused, start_values, watch_parameters

# Declared by rclpy: for every node, or when a topic is created.
_RCLPY = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')
# A start-up parameter whose name is at least this similar to a known name (difflib's ratio) is a misspelling of it.
MISSPELT = 0.8
# Well-known parameters of other nodes that resemble some of this package's.
_WELL_KNOWN = frozenset(('update_rate', 'publish_rate', 'frame_id', 'robot_description', 'speed'))


class ParameterTable:
    """
    A node's parameters: ``table = ParameterTable(node, ROWS)``, then ``table['watchdog_timeout_s']``.

    Args:
        node: the node that declares them.
        rows: the table.
        validate: called before a change, with all values as they will be after it; raises VeloraError to refuse the
            change.
        apply: called after a change with all values; once if several parameters are set atomically.
        shared: start-up parameters of other nodes that resemble this node's and are ignored.

    Raises:
        ConfigError: a start-up parameter is misspelt, has the wrong type or is out of range.
        VeloraError: ``validate`` refuses the start-up parameters.
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
        watch_parameters(node, self._coerce, self._check, self._commit)

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
        return RosParameter(row.name, ROS_TYPES[row.type], row.check(change.value))

    def _values_after(self, changes: list[RosParameter]) -> Values:
        return self._values | {change.name: change.value for change in changes if change.name in self._rows}

    def _check(self, changes: list[RosParameter]) -> SetParametersResult:
        try:
            self._validate(self._values_after(changes))
        except VeloraError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _commit(self, changes: list[RosParameter]) -> None:
        after = self._values_after(changes)
        if after != self._values:
            self._values = after
            self._apply(dict(after))


def is_ours(name: str, known: Iterable[str]) -> bool:
    """
    Return whether an unknown start-up parameter is meant for this node.

    That is so if its name begins with a prefix of the node's parameters, such as ``observation.``, or is so similar to
    a known name that it must be a misspelling. Any other parameter belongs to another node.
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
    """Warn about start-up parameters that belong to other nodes; do nothing if there are none."""
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
    node.declare_parameter(row.name, ROS_TYPES[row.type], descriptor, ignore_override=True)
    node.set_parameters([RosParameter(row.name, ROS_TYPES[row.type], [])])
    if row.read_only:
        node.set_descriptor(row.name, row.descriptor())
