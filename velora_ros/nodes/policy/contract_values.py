"""The parameters of policy_node with what the policy file says in place of those that the user did not set."""

from typing import Any

from velora_ros.contract.sources import VECTOR
from velora_ros.errors import PolicyFileError
from velora_ros.nodes.policy.policy_folders import policy_path
from velora_ros.nodes.ros.parameters import Values
from velora_ros.policy import PolicyFile
from velora_ros.spec import PolicySpec, RobotContract, Source
from velora_ros.spec.robot_contract import OWN_TYPES

SOURCE_FIELDS = {
    'topic': 'topic', 'type': 'type', 'max_age_s': 'max_age_s', 'missing': 'missing', 'frame_id': 'frame',
    'low': 'low', 'high': 'high', 'period_s': 'period_s', 'phase': 'phase', 'moves_with': 'moves_with',
    'moves_above': 'moves_above',
}  # fmt: skip
"""The parameters of a source that a contract has, and its fields."""
ONE_PER_PERIOD = -1.0
"""The value of ``rate_hz`` with which a policy that has a contract steps once in each of its periods."""


def with_contract(values: Values, spec: PolicySpec) -> Values:
    """
    Return parameters in which everything that the user left open is what the policy file says.

    Args:
        values: the node's parameters.
        spec: the policy's specification; without a contract only ``command.type`` and ``rate_hz`` become definite.
    """
    contract = spec.contract
    if contract is None:
        rate = 0.0 if values['rate_hz'] == ONE_PER_PERIOD else values['rate_hz']
        return {**values, 'command.type': values['command.type'] or VECTOR, 'rate_hz': rate}
    return {**values, **_command(values, contract), **_observation(values, contract), **_sources(values, contract)}


def _command(values: Values, contract: RobotContract) -> Values:
    own = contract.command
    kind = values['command.type'] or own.type
    fields = values['command.fields'] or ([] if kind == VECTOR else list(own.fields))
    return {
        'command.type': kind,
        'command.fields': fields,
        'command.interface': values['command.interface'] or own.interface,
    }


def _observation(values: Values, contract: RobotContract) -> Values:
    """Return sources and fields; the scales count for fields of the user's own too, since they are the policy's."""
    sources, fields = values['observation.sources'], values['observation.fields']
    if sources and not fields:
        return {}
    names = [source.name for source in contract.sources]
    own = [source.name for source in contract.sources if source.type in OWN_TYPES]
    given: Values = {
        'observation.sources': [*sources, *(name for name in own if name not in sources)] if sources else names,
        'observation.fields': fields or list(contract.fields),
    }
    for name, parts in (('scale', contract.scale), ('offset', contract.offset), ('transform', contract.transform)):
        key = f'observation.{name}'
        given[key] = values[key] or list(parts)
    return given


def _sources(values: Values, contract: RobotContract) -> Values:
    """Return the parameters of all sources of the contract."""
    found: Values = {}
    for source in contract.sources:
        for parameter, field in SOURCE_FIELDS.items():
            key = f'observation.{source.name}.{parameter}'
            if _is_open(values.get(key), parameter):
                found[key] = _plain(getattr(source, field))
        for parameter, default in (('mounting_rpy', []), ('zero_means_no_return', False)):
            key = f'observation.{source.name}.{parameter}'
            found[key] = values.get(key, default)
    return found


def _is_open(value: Any, parameter: str) -> bool:
    """Return whether a parameter has the value that stands for what the policy file says."""
    if parameter == 'max_age_s':
        return value in (None, -1)
    return not value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def source_of(name: str, values: Values) -> Source:
    """Return the source of this name, as the parameters describe it."""

    def given(parameter: str) -> Any:
        return values[f'observation.{name}.{parameter}']

    return Source(
        name, given('topic') or name, given('type'), tuple(given('missing')), given('frame_id'),
        low=tuple(given('low')), high=tuple(given('high')), period_s=given('period_s'), phase=given('phase'),
        moves_with=given('moves_with'), moves_above=given('moves_above'), mounting_rpy=tuple(given('mounting_rpy')),
        zero_means_no_return=given('zero_means_no_return'),
    )  # fmt: skip


def sources_at_start(given: Values) -> list[str]:
    """Return the names of the sources for which parameters are declared: those that are given, and the policy's."""
    names = list(given.get('observation.sources') or [])
    path = given.get('policy')
    try:
        contract = PolicyFile.read_spec(policy_path(path)).contract if isinstance(path, str) and path else None
    except PolicyFileError:
        contract = None  # it is reported when the node is configured
    return list(dict.fromkeys([*names, *(source.name for source in contract.sources)])) if contract else names
