"""Converts a contract to parameters of policy_node: the values of parameters that the user does not set."""

from typing import Any

from velora_ros.spec import RobotContract, Source
from velora_ros.spec.robot_contract import OWN_TYPES

VECTOR = 'Float64MultiArray'
SOURCE_PARAMETERS = {
    'topic': 'topic', 'type': 'type', 'max_age_s': 'max_age_s', 'missing': 'missing', 'frame_id': 'frame',
    'low': 'low', 'high': 'high', 'period_s': 'period_s', 'phase': 'phase', 'moves_with': 'moves_with',
    'moves_above': 'moves_above',
}  # fmt: skip
"""For each parameter of a source that a contract can set, the field of ``Source`` with its value."""


def as_parameters(contract: RobotContract) -> dict[str, Any]:
    """Return all parameters that a contract determines, by name; tuples become lists."""
    command = contract.command
    found: dict[str, Any] = {
        'command.type': command.type,
        'command.interface': command.interface,
        'command.fields': [] if command.type == VECTOR else list(command.fields),
        'observation.sources': [source.name for source in contract.sources],
        'observation.fields': list(contract.fields),
        'observation.scale': list(contract.scale),
        'observation.offset': list(contract.offset),
        'observation.transform': list(contract.transform),
    }
    for source in contract.sources:
        found |= source_parameters(source)
    return found


def source_parameters(source: Source) -> dict[str, Any]:
    """Return the parameters ``observation.<source>.*`` of a source, by name."""
    values = {name: getattr(source, field) for name, field in SOURCE_PARAMETERS.items()}
    return {
        f'observation.{source.name}.{name}': list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def own_sources(contract: RobotContract) -> list[str]:
    """Return the names of the sources that policy_node computes itself: LastAction and GaitClock."""
    return [source.name for source in contract.sources if source.type in OWN_TYPES]
