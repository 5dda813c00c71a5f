"""
Transforms the values read into an observation: replaces non-finite values, scales, adds offsets, sine, cosine, unwraps.

Every function takes arrays of shape ``(..., k)``: the values of one robot, or of many simulations at once.
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
    Return a copy of measured distances in which infinite values are replaced as REP 117 defines.

    Args:
        ranges: the distances, shape (..., k) [m].
        least: replaces -inf, "closer than the sensor can measure", scalar or (..., 1) [m].
        greatest: replaces inf, "nothing within reach", scalar or (..., 1) [m]. With 0, because the driver does not
            report the sensor's range, inf is kept.
    """
    reach = np.where(np.asarray(greatest) > 0, greatest, np.inf)
    return np.where(np.isneginf(ranges), least, np.where(np.isposinf(ranges), reach, ranges))


class Transform:
    """
    Computes ``x = scale * value + offset`` for each entry, and then the sine or cosine of some entries.

    Args:
        scale: the factor of each entry, shape (observation,).
        offset: the offset of each entry, shape (observation,).
        sines: indices of the entries of which the sine is taken.
        cosines: indices of the entries of which the cosine is taken.
        fills: for some entries, by index, a number that first replaces a value that is not finite.
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
        Return the transformed values, a new array of shape (..., observation).

        After an overflow, a number is not finite, and numpy warns about it. The caller may switch the warning off with
        ``np.errstate``, which takes longer than the transform.
        """
        if self._filled:
            values = values.copy()
            values[..., self._filled] = fill_nonfinite(values[..., self._filled], self._fills)
        result: Array = values * self._scale + self._offset
        if self._sines or self._cosines:
            with np.errstate(invalid='ignore'):  # the sine of infinity is NaN
                result[..., self._sines] = np.sin(result[..., self._sines])
                result[..., self._cosines] = np.cos(result[..., self._cosines])
        return result


class Unwrap:
    """
    Makes angles continuous that a driver wraps to [-pi, pi] or [0, 2 pi].

    Between two calls, an angle must change by less than half a turn.

    Args:
        entries: the indices of these angles in an observation.
    """

    def __init__(self, entries: Sequence[int]) -> None:
        self._entries = np.asarray(entries, dtype=np.intp)
        self.restart()

    def restart(self, which: Mask | None = None) -> None:
        """Start again from the next measured angles; ``which``, shape (...), selects observations, None means all."""
        if which is None:
            self._last: Array | None = None
            self._turns = np.zeros(len(self._entries))
        elif self._last is not None:
            self._last[which], self._turns[which] = np.nan, 0.0

    def __call__(self, values: Array) -> None:
        """
        Replace the angles [rad] in observations, shape (..., observation), in place.

        If an angle is not finite, the observation is not changed and has no effect on later observations.
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
