"""The line that policy_node logs when it is configured: its observations and commands, and when it is armed."""

from collections.abc import Callable, Iterable, Sequence

from velora_ros.contract.source_plan import SourcePlan
from velora_ros.contract.sources import VECTOR
from velora_ros.control.command_limits import Safety
from velora_ros.nodes.policy.settings_of_parameters import settings_of
from velora_ros.nodes.ros.parameter import Values
from velora_ros.spec import PolicySpec

# Only the beginning of a longer list is shown.
LISTED = 8


def startup_summary(
    path: str,
    spec: PolicySpec,
    plans: Sequence[SourcePlan],
    values: Values,
    resolve: Callable[[str], str],
    *,
    waits: int = 0,
) -> str:
    """
    Return one line for the log.

    Args:
        path: the path of the policy file.
        spec: the policy's specification.
        plans: the fields that are read from each source.
        values: the node's parameters.
        resolve: returns the full name of a topic after remapping.
        waits: the number of confirmations that are still open.
    """
    reads = '; '.join(
        f'{_listed(_names(one, spec))} from {resolve(one.source.topic)} ({one.source.type})' for one in plans
    )
    actions = (
        f'{name} {low:g} to {high:g}{f" {unit}" if unit else ", unit unknown"}'
        for name, unit, (low, high) in zip(
            spec.action_names, spec.action_units, Safety(spec, settings_of(values)).bounds, strict=True
        )
    )
    own = ' by command.scale and command.offset' if values['command.scale'] or values['command.offset'] else ''
    rate, between = values['rate_hz'], values['command.interpolate']
    return (
        f'policy {path}: reads {reads}; commands {_listed(actions)}{own} on {resolve("command")} '
        f'({values["command.type"]}); period {spec.control_period:g} s'
        f'{f", commands at {rate:g} Hz" if rate > 0 else ""}{_line(between, spec.control_period)}; '
        f'{"armed as soon as it is active" if values["arm_on_activate"] else "not armed until ~/arm is called"}'
        f'{" and the confirmations in the warning are given" if waits else ""}'
    )


def _line(rate: float, period: float) -> str:
    """Return the part of the line about interpolation; '' if it is switched off."""
    return f', moves to each command at {rate:g} Hz, with up to {period:g} s of lag' if rate else ''


def _names(one: SourcePlan, spec: PolicySpec) -> list[str]:
    """Return the names of a source's values: its fields, or the policy's names for the entries of a vector."""
    names = spec.observation_names
    return [names[place] for place in one.places] if one.source.type == VECTOR else one.fields


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    if len(shown) <= LISTED:
        return ', '.join(shown)
    return f'{", ".join(shown[:LISTED])}, ... ({len(shown)} in all)'
