"""How much memory is free, and whether something large would fit into it."""

from pathlib import Path

MEMORY = Path('/proc/meminfo')
RESIDENT = Path('/proc/self/status')
LARGEST_SHARE = 0.8
"""Share of the free memory that one large object may use; the rest is left for everything else."""


def free_memory() -> float:
    """Return the memory that is still available to processes [bytes]; infinity if the system does not report it."""
    return _entry(MEMORY, 'MemAvailable') or float('inf')


def resident_memory() -> float:
    """Return the memory that this process occupies [bytes]; 0 if the system does not report it."""
    return _entry(RESIDENT, 'VmRSS')


def does_not_fit(needed: float, free: float) -> str:
    """
    Return why something does not fit into memory, as a part of a sentence; ``''`` if it fits.

    Args:
        needed: the memory that it needs [bytes].
        free: the free memory, from :func:`free_memory` [bytes].
    """
    if needed <= LARGEST_SHARE * free:
        return ''
    return f'about {needed / 2**30:.1f} GiB of memory, but {free / 2**30:.1f} GiB are free'


def _entry(path: Path, name: str) -> float:
    """Return an entry of :data:`MEMORY` or :data:`RESIDENT` [bytes]; 0 if the file or the entry is missing."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0.0
    return next((1024 * float(line.split()[1]) for line in lines if line.startswith(f'{name}:')), 0.0)
