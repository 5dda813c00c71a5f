"""What is done to the values that were read before they are an observation: scale, offset, sine, cosine, unwrapping."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Transform:
    """``x = scale * value + offset``, then the sine or cosine of some entries."""

    scale: Array
    offset: Array
    sines: list[int] = field(default_factory=list)
    cosines: list[int] = field(default_factory=list)
    fills: dict[int, float] = field(default_factory=dict)
    """What stands for values that are not finite, by entry; taken first."""

    def __call__(self, values: Array) -> Array:
        """Return the transformed values, shape (observation,); what overflows is not finite and refused later."""
        if self.fills:
            values = values.copy()
            for place, number in self.fills.items():
                if not math.isfinite(values[place]):
                    values[place] = number
        with np.errstate(all='ignore'):
            result: Array = values * self.scale + self.offset
            if self.sines:
                result[self.sines] = np.sin(result[self.sines])
            if self.cosines:
                result[self.cosines] = np.cos(result[self.cosines])
        return result


class Unwrap:
    """
    Lets angles go on beyond half a turn, where a driver wraps them to [-pi, pi] or [0, 2 pi].

    Between two calls an angle must turn by less than half a turn. After a restart it begins at what is measured.

    Args:
        entries: which entries of an observation are such angles.
    """

    def __init__(self, entries: Sequence[int]) -> None:
        self._entries = np.asarray(entries, dtype=np.intp)
        self.restart()

    def restart(self) -> None:
        """Forget the turns so far."""
        self._last: Array | None = None
        self._turns = np.zeros(len(self._entries))

    def __call__(self, values: Array) -> None:
        """Replace the angles [rad] in an observation, shape (observation,); one that is not finite changes nothing."""
        angles = values[self._entries]
        if not np.isfinite(angles).all():
            return
        if self._last is not None:
            self._turns -= np.rint((angles - self._last) / (2 * math.pi))
        self._last = angles
        values[self._entries] = angles + 2 * math.pi * self._turns
