"""
Computes fields from several messages: a position relative to another position.

``position.x``                               a coordinate of the source's own position
``position.relative_to(tool).x``             minus the position of the source ``tool``
``position.in_frame_of(odom).x``             minus the position of ``odom``, with the axes of its orientation
``position.turned_by(shoulder_joint).x``     with axes that turn about z with a joint
``position.relative_to(tool).within(0.1).x`` clipped to +-0.1 m, after all other steps
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from velora_ros.contract.orientations import matrices, to_frame
from velora_ros.errors import ConfigError

Array = npt.NDArray[np.float64]
Places = list[int]

AXES = 'xyz'
POSITION = tuple(f'position.{axis}' for axis in AXES)
ORIENTATION = tuple(f'orientation.{part}' for part in ('w', 'x', 'y', 'z'))
_FIELD = re.compile(r'position((?:\.\w+\([^()]*\))+)\.([xyz])')
_STEP = re.compile(r'\.(\w+)\(\s*([^()]*?)\s*\)')
_STEPS = ('relative_to', 'in_frame_of', 'turned_by', 'within')


@dataclass(frozen=True)
class RelativePosition:
    """
    A parsed field, such as ``position.relative_to(tool).x``.

    Args:
        origin: the source whose position is subtracted; ``''`` for none.
        in_frame: whether the result is in the axes of the origin's orientation.
        joint: the joint with which the axes turn; ``''`` for none.
        within: distance to which the coordinates are clipped [m]; inf if they are not clipped.
        axis: 0, 1 or 2 for x, y or z.
    """

    origin: str = ''
    in_frame: bool = False
    joint: str = ''
    within: float = math.inf
    axis: int = 0


def parse_relative_position(text: str) -> RelativePosition | None:
    """
    Parse a field; return None if it is read from a single message.

    Raises:
        ConfigError: a step is unknown or given twice, or a distance is invalid.
    """
    match = _FIELD.fullmatch(text)
    if match is None:
        return None
    steps = _STEP.findall(match[1])
    if unknown := [name for name, _ in steps if name not in _STEPS]:
        raise ConfigError(f"'{text}' has the unknown step '{unknown[0]}'; the valid steps are {', '.join(_STEPS)}.")
    given: dict[str, str] = dict(steps)
    if len(given) < len(steps) or ('relative_to' in given and 'in_frame_of' in given):
        raise ConfigError(f"'{text}' gives a step twice or subtracts two positions; omit one of these steps.")
    origin = given.get('in_frame_of') or given.get('relative_to') or ''
    within = _distance(text, given['within']) if 'within' in given else math.inf
    return RelativePosition(origin, 'in_frame_of' in given, given.get('turned_by', ''), within, AXES.index(match[2]))


def _distance(text: str, given: str) -> float:
    try:
        distance = float(given)
    except ValueError:
        distance = math.nan
    if not 0 < distance < math.inf:
        raise ConfigError(f"'{text}' has the distance '{given}'; give a distance above 0 in m, such as within(0.1).")
    return distance


class RelativePositions:
    """
    Computes fields that differ only in their axes.

    Args:
        position: indices of the position x, y, z among the values read.
        origin: indices of the origin's position; empty for none.
        orientation: indices of the origin's orientation w, x, y, z; empty if the axes are not turned by it.
        joint: index of the position [rad] of the joint with which the axes turn; empty for none.
        within: distance to which the coordinates are clipped [m]; inf if they are not clipped.
        axes: the axis of each entry, 0, 1 or 2.
        entries: the entries of the observation that are filled.
    """

    def __init__(
        self,
        position: Places,
        *,
        origin: Places,
        orientation: Places,
        joint: Places,
        within: float,
        axes: Places,
        entries: Places,
    ) -> None:
        self._position, self._origin, self._orientation, self._joint = position, origin, orientation, joint
        self._within, self._axes, self._entries = within, axes, entries

    def __call__(self, values: Array) -> None:
        """Compute the entries from the values read, in place; ``values`` has the shape (..., values)."""
        origin = values[..., self._origin] if self._origin else np.zeros(3)
        axes = matrices(_unit(values[..., self._orientation])) if self._orientation else None
        way = seen_from(values[..., self._position], origin, axes)
        if self._joint:
            way = turned(way, values[..., self._joint[0]])
        if self._within < math.inf:
            way = np.clip(way, -self._within, self._within)
        values[..., self._entries] = way[..., self._axes]


def seen_from(position: Array, origin: Array, axes: Array | None = None) -> Array:
    """
    Return a position relative to an origin, shape (..., 3) [m].

    Args:
        position: the position, shape (..., 3) [m].
        origin: the origin, shape (..., 3) [m].
        axes: the axes of the result, as columns, shape (..., 3, 3); None for the axes of the positions.
    """
    way = position - origin
    return way if axes is None else to_frame(axes, way)


def turned(vectors: Array, angle: npt.ArrayLike) -> Array:
    """Return vectors, shape (..., 3), in axes that are turned about z by ``angle``, shape (...,) [rad]."""
    sine, cosine = np.sin(angle), np.cos(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([cosine * x + sine * y, cosine * y - sine * x, vectors[..., 2]], axis=-1)


def _unit(quaternions: Array) -> Array:
    """Return quaternions, shape (..., 4), scaled to length 1; an invalid one becomes NaN, which the policy refuses."""
    with np.errstate(invalid='ignore', divide='ignore'):
        found: Array = quaternions / np.sqrt((quaternions**2).sum(axis=-1, keepdims=True))
    return found
