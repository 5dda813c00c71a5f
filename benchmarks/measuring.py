"""What the benchmarks share: a description of the machine, percentiles, and measurements in separate processes."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
# One thread each: networks this small are slower on several, and other processes keep their share of the machine.
ONE_THREAD = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), '1')


def machine(*packages: str) -> str:
    """Return processor, cores, load and versions in one line, for the head of a benchmark's output."""
    names = [line.partition(':')[2].strip() for line in _lines('/proc/cpuinfo') if line.startswith('model name')]
    versions = ', '.join(f'{name} {version(name)}' for name in packages)
    return (
        f'{names[0] if names else platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; '
        f'Python {platform.python_version()}, {versions}'
    )


def p50_p99(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Return the median and the 99th percentile."""
    p50, p99 = np.percentile(values, (50, 99))
    return {'p50': round(float(p50), digits), 'p99': round(float(p99), digits)}


def in_own_process(script: str, *arguments: object, show_progress: bool = False, **environment: str) -> dict[str, Any]:
    """
    Run one of these scripts in a separate Python process and return the JSON of its last line.

    Args:
        script: name of the script.
        arguments: arguments of the script.
        show_progress: whether the script's standard error is shown.
        environment: environment variables of the script, besides this process's.

    Raises:
        RuntimeError: the script failed; its last output is in the message.
    """
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD, **environment}, stdout=subprocess.PIPE,
        stderr=None if show_progress else subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(
            f'{" ".join(command)} ended with {done.returncode}:\n{done.stdout[-1000:]}{(done.stderr or "")[-3000:]}'
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def status_mb(key: str, pid: int | str = 'self') -> float:
    """Return an entry of /proc/<pid>/status, such as VmRSS [MB]."""
    line = next(line for line in _lines(f'/proc/{pid}/status') if line.startswith(f'{key}:'))
    return int(line.split()[1]) / 1024


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding='utf-8', errors='replace').splitlines()
