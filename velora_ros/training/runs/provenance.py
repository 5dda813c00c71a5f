"""The provenance of a run: versions, processor and time of each of its starts."""

import json
import platform
import warnings
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from velora_ros import __version__
from velora_ros.utils.atomic_files import atomic_write

PACKAGES = ('gymnasium', 'mujoco', 'numba', 'numpy', 'safetensors', 'torch')
"""The packages on which the numbers of a run depend."""


def versions() -> dict[str, str]:
    """Return the versions on which the numbers depend, and the processor for which updates are compiled."""
    found = {'velora_ros': __version__, 'python': platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = 'none'
    return {**found, 'system': platform.system(), 'processor': _processor()}


def _processor() -> str:
    """Return the processor and its widest vector instructions in use: rounding depends on both."""
    return f'{platform.machine()} {torch.backends.cpu.get_cpu_capability()}'


def record_start(path: Path, *, from_step: int, now: float) -> None:
    """
    Append a start of the run to its provenance; warn if versions or processor differ from the last start.

    Args:
        path: a JSON file with a list of starts; a damaged file is replaced.
        from_step: steps of the agent at this start.
        now: seconds since 1970.

    Raises:
        StorageError: the file cannot be written.
    """
    starts, here = _read(path), versions()
    before = starts[-1]['versions'] if starts else here
    if changed := [name for name in here if before.get(name) != here[name]]:
        names = ', '.join(f'{name} {before.get(name)} before, {here[name]} now' for name in changed)
        warnings.warn(
            f'the run is resumed with different software or on a different processor ({names}): it is valid, but not '
            f'bit-identical to an uninterrupted run.',
            stacklevel=2,
        )
    started = datetime.fromtimestamp(now, UTC).isoformat(timespec='seconds')
    starts.append({'from_step': from_step, 'started': started, 'versions': here})
    with atomic_write(path) as file:
        file.write((json.dumps(starts, indent=1) + '\n').encode())


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        starts = json.loads(path.read_text(encoding='utf-8'))
        return [start for start in starts if isinstance(start['versions'], dict)]
    except (OSError, ValueError, TypeError, KeyError):
        return []
