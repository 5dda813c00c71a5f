"""The line with which policy_node says at its start what it reads, what it commands, and whether it is armed."""

from collections.abc import Callable, Iterable, Sequence

from velora_ros.contract.sources import VECTOR, Part
from velora_ros.control.safety import Safety
from velora_ros.nodes.policy.parameters import settings_of
from velora_ros.nodes.ros.parameters import Values
from velora_ros.spec import PolicySpec

# Longer lists show their beginning.
LISTED = 8


def start_line(
    path: str, spec: PolicySpec, parts: Sequence[Part], values: Values, resolve: Callable[[str], str], *, waits: int = 0
) -> str:
    """
    Return one line for the log.

    Args:
        path: the policy file.
        spec: its specification.
        parts: what is read from which source.
        values: the node's parameters.
        resolve: returns a topic's full name, remapped.
        waits: how many confirmations are open.
    """
    reads = '; '.join(
        f'{_listed(_read(part, spec))} from {resolve(part.source.topic)} ({part.source.type})' for part in parts
    )
    actions = (
        f'{name} {low:g} to {high:g}{f" {unit}" if unit else ", unit unknown"}'
        for name, unit, (low, high) in zip(
            spec.action_names, spec.action_units, Safety(spec, settings_of(values)).bounds, strict=True
        )
    )
    own = ' by command.scale and command.offset' if values['command.scale'] or values['command.offset'] else ''
    rate = values['rate_hz']
    return (
        f'policy {path}: reads {reads}; commands {_listed(actions)}{own} on {resolve("command")} '
        f'({values["command.type"]}); period {spec.control_period:g} s'
        f'{f", commands at {rate:g} Hz" if rate > 0 else ""}; '
        f'{"armed as soon as it is active" if values["arm_on_activate"] else "not armed until ~/arm is called"}'
        f'{" and what the warning names is confirmed" if waits else ""}'
    )


def _read(part: Part, spec: PolicySpec) -> list[str]:
    """Return what a source's values are called: a vector's have numbers only, so that the policy's names say more."""
    names = spec.observation_names
    return [names[place] for place in part.places] if part.source.type == VECTOR else part.fields


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    if len(shown) <= LISTED:
        return ', '.join(shown)
    return f'{", ".join(shown[:LISTED])}, ... ({len(shown)} in all)'
