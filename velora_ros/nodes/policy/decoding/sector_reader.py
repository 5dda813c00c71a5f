"""
Reads the nearest range in sectors of a LaserScan.

A field is ``nearest(-0.35, 0.35, 4.0)``: the lowest and the highest angle [rad] and the maximum range [m].
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.contract.scan_sectors import Rays, measured
from velora_ros.errors import ConfigError, ObservationError

Array = npt.NDArray[np.float64]

LASER_SCAN = 'sensor_msgs/msg/LaserScan'
_SECTOR = re.compile(r'\s*nearest\(([^()]*)\)\s*')
_NUMBERS = (2, 3)


def is_sector(text: str) -> bool:
    """Return whether a field is the nearest range of a sector."""
    return text.lstrip().startswith('nearest(')


class SectorReader:
    """
    Reads the nearest range in each sector, whatever the number of rays of the scan.

    Args:
        fields: the sectors.
        zero_is_far: whether the driver sends 0 where nothing is within reach.

    Raises:
        ConfigError: a field is not a sector.
    """

    def __init__(self, fields: Sequence[str], *, zero_is_far: bool = False) -> None:
        self._fields, self._zero_is_far = list(fields), zero_is_far
        sectors = [_numbers(text) for text in fields]
        self._sectors = [(low, high) for low, high, _ in sectors]
        self._greatest = np.array([far for _, _, far in sectors])
        self._unbounded = bool(np.isinf(self._greatest).any())
        self._layout: tuple[int, float, float] | None = None
        self._rays = Rays([(0.0, 1.0)], 1, 0.0, 1.0)

    def read(self, message: Any) -> Array:
        """
        Return the nearest ranges [m], shape (sectors,).

        Raises:
            ObservationError: a sector has no ray, or none of its rays measured anything.
        """
        ranges = np.asarray(message.ranges, dtype=np.float64)
        layout = len(ranges), message.angle_min, message.angle_increment
        if layout != self._layout:
            self._arrange(*layout)
        greatest = message.range_max
        if not greatest > 0:  # not given by the driver: as far as the policy can see
            greatest = 0.0 if self._unbounded else float(self._greatest.max())
        least = self._rays.least(measured(ranges, message.range_min, greatest, zero_is_far=self._zero_is_far))
        if not np.isfinite(least).all():
            sector = self._fields[int(np.argmin(np.isfinite(least)))]
            raise ObservationError(f"no ray of the sector '{sector}' measured anything; check the laser.")
        found: Array = np.minimum(least, self._greatest)
        return found

    def _arrange(self, count: int, first: float, step: float) -> None:
        """Find which rays lie in which sector."""
        self._layout = None
        if not count or step == 0 or not np.isfinite([first, step]).all():
            raise ObservationError(
                f'a LaserScan has {count} ranges, angle_min {first:g} and angle_increment {step:g}; it must have at '
                "least one range and a finite increment other than 0. Check the laser's driver."
            )
        rays = Rays(self._sectors, count, first, step)
        if rays.empty:
            raise ObservationError(
                f"the sector '{self._fields[rays.empty[0]]}' has no ray: the scan has {count} rays from {first:.4g} to "
                f'{first + (count - 1) * step:.4g} rad; use a laser that covers the sector.'
            )
        self._rays, self._layout = rays, (count, first, step)


def _numbers(text: str) -> tuple[float, float, float]:
    """Return the lowest and the highest angle [rad] and the maximum range [m] of a sector."""
    match = _SECTOR.fullmatch(text)
    try:
        given = [float(part) for part in (match[1] if match else '').split(',')]
    except ValueError:
        given = []
    if len(given) not in _NUMBERS or not given[0] < given[1] <= given[0] + 2 * np.pi + 1e-3:
        raise ConfigError(
            f"'{text}' is not a sector; write nearest(lowest angle, highest angle) [rad], followed by the maximum "
            f'range [m], for example nearest(-0.35, 0.35, 4.0).'
        )
    return given[0], given[1], (*given, float('inf'))[2]
