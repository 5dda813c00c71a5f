"""Completes the parameters of policy_node: values that the user did not set are taken from the policy file."""

from typing import Any

from velora_ros.contract.contract_to_parameters import VECTOR, as_parameters, own_sources
from velora_ros.errors import MissingDependencyError, PolicyFileError
from velora_ros.nodes.policy.policy_folders import policy_path
from velora_ros.nodes.ros.parameter import Values
from velora_ros.policy.policy import read_spec
from velora_ros.spec import PolicySpec, RobotContract, Source

ONE_PER_PERIOD = -1.0
"""The value of ``rate_hz`` for one step in each control period, if the policy has a contract."""
_NOT_OF_A_CONTRACT = {'mounting_rpy': [], 'zero_means_no_return': False}


def with_contract(values: Values, spec: PolicySpec) -> Values:
    """
    Return the parameters; values that the user did not set are taken from the policy file.

    Args:
        values: the node's parameters.
        spec: the policy's specification; if it has no contract, only ``command.type`` and ``rate_hz`` are set.
    """
    contract = spec.contract
    if contract is None:
        rate = 0.0 if values['rate_hz'] == ONE_PER_PERIOD else values['rate_hz']
        return {**values, 'command.type': values['command.type'] or VECTOR, 'rate_hz': rate}
    said = as_parameters(contract)
    if values['command.type']:
        said['command.fields'] = [] if values['command.type'] == VECTOR else list(contract.command.fields)
    sources = values['observation.sources']
    if sources and not values['observation.fields']:  # a user's own source provides the observation directly
        said = {name: value for name, value in said.items() if not name.startswith('observation.')}
    found = {**values, **{name: value for name, value in said.items() if _is_open(name, values.get(name))}}
    for source in contract.sources:
        for name, default in _NOT_OF_A_CONTRACT.items():
            found.setdefault(f'observation.{source.name}.{name}', default)
    if sources and values['observation.fields']:
        found['observation.sources'] = list(dict.fromkeys([*sources, *_read_again(contract, values)]))
    return found


def _read_again(contract: RobotContract, values: Values) -> list[str]:
    """Return the names of the sources that the node computes itself and that the user's ``observation.fields`` name."""
    used = {field.partition(':')[0] for field in values['observation.fields']}
    return [name for name in own_sources(contract) if name in used]


def _is_open(name: str, value: Any) -> bool:
    """Return whether a parameter has the value that means "as in the policy file"."""
    return value in (None, -1) if name.endswith('.max_age_s') else not value


def source_of(name: str, values: Values) -> Source:
    """Return the source ``name`` as the node's parameters ``observation.<name>.*`` describe it."""

    def given(parameter: str) -> Any:
        return values[f'observation.{name}.{parameter}']

    return Source(
        name, given('topic') or name, given('type'), tuple(given('missing')), given('frame_id'),
        low=tuple(given('low')), high=tuple(given('high')), period_s=given('period_s'), phase=given('phase'),
        moves_with=given('moves_with'), moves_above=given('moves_above'), mounting_rpy=tuple(given('mounting_rpy')),
        zero_means_no_return=given('zero_means_no_return'),
    )  # fmt: skip


def sources_at_start(given: Values) -> list[str]:
    """Return the names of the sources whose parameters are declared: the configured sources and the policy's."""
    names = list(given.get('observation.sources') or [])
    path = given.get('policy')
    try:
        contract = read_spec(policy_path(path)).contract if isinstance(path, str) and path else None
    except (MissingDependencyError, PolicyFileError):
        contract = None  # the error is reported when the node is configured
    return list(dict.fromkeys([*names, *(source.name for source in contract.sources)])) if contract else names
