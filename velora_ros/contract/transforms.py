"""
From the values read to an observation: replace values that are not finite, scale, offset, sine, cosine, unwrap.

Every function takes arrays of shape ``(..., k)``: one robot's values, or those of many simulations at once.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

TURN = 2 * np.pi


def fill_nonfinite(values: Array, fill: npt.ArrayLike) -> Array:
    """Return a copy of ``values``, shape (..., k), in which ``fill``, scalar or (k,), replaces NaN and infinity."""
    return np.where(np.isfinite(values), values, fill)


def fill_ranges(ranges: Array, least: npt.ArrayLike, greatest: npt.ArrayLike) -> Array:
    """
    Return a copy of measured distances in which infinite values are replaced as REP 117 defines them.

    Args:
        ranges: the distances, shape (..., k) [m].
        least: replaces -inf, "closer than the sensor can measure", scalar or (..., 1) [m].
        greatest: replaces inf, "nothing within reach", scalar or (..., 1) [m]. 0 means that the driver does not report
        the sensor's range; inf is then kept.
    """
    reach = np.where(np.asarray(greatest) > 0, greatest, np.inf)
    return np.where(np.isneginf(ranges), least, np.where(np.isposinf(ranges), reach, ranges))


class Transform:
    """
    ``x = scale * value + offset`` for each entry, then the sine or cosine of some entries.

    Args:
        scale: shape (observation,).
        offset: shape (observation,).
        sines: entries of which the sine is taken.
        cosines: entries of which the cosine is taken.
        fills: numbers that replace values that are not finite before anything else, by entry.
    """

    def __init__(
        self,
        scale: npt.ArrayLike,
        offset: npt.ArrayLike,
        sines: Sequence[int] = (),
        cosines: Sequence[int] = (),
        fills: Mapping[int, float] | None = None,
    ) -> None:
        self._scale, self._offset = np.asarray(scale, dtype=np.float64), np.asarray(offset, dtype=np.float64)
        self._sines, self._cosines = list(sines), list(cosines)
        fills = fills or {}
        self._filled, self._fills = list(fills), np.array(list(fills.values()))

    def __call__(self, values: Array) -> Array:
        """
        Return a new array, shape (..., observation).

        An overflow becomes a number that is not finite, and numpy warns of it; the caller decides with ``np.errstate``
        whether it should, because that takes longer than the transform.
        """
        if self._filled:
            values = values.copy()
            values[..., self._filled] = fill_nonfinite(values[..., self._filled], self._fills)
        result: Array = values * self._scale + self._offset
        if self._sines or self._cosines:
            with np.errstate(invalid='ignore'):  # the sine of infinity is not a number
                result[..., self._sines] = np.sin(result[..., self._sines])
                result[..., self._cosines] = np.cos(result[..., self._cosines])
        return result


class Unwrap:
    """
    Continues angles beyond half a turn where a driver wraps them to [-pi, pi] or [0, 2 pi].

    Between two calls an angle must turn by less than half a turn.

    Args:
        entries: the entries of an observation that are such angles.
    """

    def __init__(self, entries: Sequence[int]) -> None:
        self._entries = np.asarray(entries, dtype=np.intp)
        self.restart()

    def restart(self, which: Mask | None = None) -> None:
        """Start again from the next measured angle in the observations of ``which``, shape (...); None: all."""
        if which is None:
            self._last: Array | None = None
            self._turns = np.zeros(len(self._entries))
        elif self._last is not None:
            self._last[which], self._turns[which] = np.nan, 0.0

    def __call__(self, values: Array) -> None:
        """
        Replace the angles [rad] in observations, shape (..., observation), in place.

        An observation in which an angle is not finite is not changed and has no effect on later ones.
        """
        angles: Array = values[..., self._entries]
        usable = np.isfinite(angles).all(axis=-1, keepdims=True)
        if self._last is None:
            self._last, self._turns = np.full(angles.shape, np.nan), np.zeros(angles.shape)
        with np.errstate(invalid='ignore'):
            turned = np.rint((angles - self._last) / TURN)
        self._turns = self._turns - np.where(np.isfinite(turned), turned, 0.0)
        self._last = np.where(usable, angles, self._last)
        values[..., self._entries] = np.where(usable, angles + TURN * self._turns, angles)
