"""The content of a recording, as text and as one JSON object."""

from typing import Any

import numpy as np

from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.messages import END_NOTE, POLICY_NOTE
from velora_ros.utils.text_table import text_table


def summary(path: str, recording: Recording) -> dict[str, Any]:
    """Return everything that :func:`describe` shows, as JSON-ready values."""
    return {
        'event': 'recording',
        'file': path,
        'complete': recording.complete,
        'unreadable_bytes': recording.unreadable,
        'seconds': round(recording.seconds, 3),
        'messages': len(recording.messages),
        'topics': {name: _topic(recording, name) for name in sorted(recording.channels)},
        'policies': [dict(note.values) for note in recording.notes if note.name == POLICY_NOTE],
        'losses': {k: v for note in recording.notes if note.name == END_NOTE for k, v in note.values.items()},
    }


def describe(path: str, recording: Recording) -> str:
    """Return a description of a recording as text."""
    about = summary(path, recording)
    state = 'complete' if recording.complete else f'truncated, {recording.unreadable} bytes at its end are lost'
    lines = [f'{path}: {state}; {about["seconds"]:g} s, {about["messages"]} messages']
    rows = [
        [name, one['type'], str(one['messages']), _shown(one['rate_hz']), _shown(one['longest_gap_s'])]
        for name, one in about['topics'].items()
    ]
    lines += text_table(['topic', 'type', 'messages', 'rate [Hz]', 'longest gap [s]'], rows)
    lines += [f'  policy of {one["controller"]}: {one["policy"]} ({one["digest"][:12]})' for one in about['policies']]
    return '\n'.join(lines)


def _topic(recording: Recording, name: str) -> dict[str, Any]:
    times = np.array([message.received for message in recording.of(name)], dtype=np.int64)
    steps = np.diff(times) * 1e-9
    lasts = float(steps.sum())
    return {
        'type': recording.channels[name].type,
        'messages': len(times),
        'rate_hz': len(steps) / lasts if lasts > 0 else None,
        'longest_gap_s': float(steps.max()) if len(steps) else None,
    }


def _shown(value: float | None) -> str:
    return '-' if value is None else f'{value:.3g}'
