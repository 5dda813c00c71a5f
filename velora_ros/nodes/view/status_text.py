"""Makes the status of the policy and the simulation, as HTML for the page, from their diagnostics."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COLOURS = {'ok': '#2b8a3e', 'warn': '#e67700', 'error': '#c92a2a'}
_LEVELS = ('ok', 'warn', 'error', 'error')  # indexed by the level of a DiagnosticStatus; the last one is STALE
SILENT_S = 3.0
"""Time without diagnostics after which the page shows that a node may have ended [s]; normal is one per second."""


@dataclass
class NodeState:
    """
    The last report of a node.

    Args:
        name: the node's name.
        level: ``ok``, ``warn`` or ``error``.
        text: the node's state and reason.
        values: the values in the node's last diagnostics.
        heard: the time of the node's last diagnostics [s].
    """

    name: str
    level: str = 'warn'
    text: str = 'no message yet'
    values: dict[str, str] = field(default_factory=dict)
    heard: float = float('-inf')

    def read(self, status: Any, now: float, *, values: bool = True) -> None:
        """Store a DiagnosticStatus received at ``now`` [s]; if ``values`` is False, keep the earlier values."""
        self.level, self.text = level_of(status.level), status.message
        if values:
            self.values = {pair.key: pair.value for pair in status.values}
            self.heard = now

    def is_silent(self, now: float) -> bool:
        """Return whether the diagnostics have stopped."""
        return now - self.heard > SILENT_S


def level_of(level: Any) -> str:
    """Return the level of a DiagnosticStatus, which is a byte in rclpy, as ``ok``, ``warn`` or ``error``."""
    number = level[0] if isinstance(level, bytes) else int(level)
    return _LEVELS[min(number, len(_LEVELS) - 1)]


def status_html(controller: NodeState, simulator: NodeState | None, command: str, now: float) -> str:
    """
    Return the status at the top of the page, as HTML.

    Args:
        controller: the last report of the commanding node.
        simulator: the last report of the simulating node; None if there is none.
        command: the robot's velocity command as text; '' if it is not known.
        now: the current time [s].
    """
    lines = [_line(controller, _policy(controller.values), now)]
    if simulator is not None:
        lines.append(_line(simulator, _simulation(simulator.values), now))
    if command:
        lines.append(f'<div>{html.escape(command)}</div>')
    return f'<div style="font-size:0.8em;line-height:1.5;padding:0 0.8em">{"".join(lines)}</div>'


def _line(node: NodeState, details: str, now: float) -> str:
    gone = node.is_silent(now) and node.heard > 0
    level, text = ('error', 'no diagnostics; it may have ended') if gone else (node.level, node.text)
    dot = f'<span style="color:{_COLOURS[level]}">&#9679;</span>'
    return (
        f'<div>{dot} <b>{html.escape(node.name)}</b> {html.escape(text)}</div>'
        f'<div style="opacity:0.7">{html.escape(details)}</div>'
    )


def _policy(values: Mapping[str, str]) -> str:
    parts = []
    if path := values.get('policy'):
        parts.append(Path(path).name + (f' ({values["digest"][:8]})' if values.get('digest') else ''))
    parts += [f'{_number(values["rate_hz"])} Hz'] if 'rate_hz' in values else []
    if 'latency_p99_us' in values:
        parts.append(f'latency p99 {_number(values["latency_p99_us"], 1e-3)} ms')
    parts += [f'{values["faults"]} faults'] if values.get('faults', '0') != '0' else []
    return ', '.join(parts)


def _simulation(values: Mapping[str, str]) -> str:
    parts = [f'{_number(values["sim_seconds"])} s'] if 'sim_seconds' in values else []
    parts += [f'return {_number(values["episode_return"])}'] if 'episode_return' in values else []
    parts += [f'{values["falls"]} falls'] if 'falls' in values else []
    return ', '.join(parts)


def _number(text: str, factor: float = 1.0) -> str:
    try:
        return f'{float(text) * factor:.1f}'
    except ValueError:
        return text
