"""Position targets that move at the speed of the policy's actions, from the measured pose: ``target += speed * T``."""

from collections.abc import Sequence

Command = list[float]


class MovingTargets:
    """
    The targets of all commanded joints.

    Args:
        period: time for which an action moves a target, T [s], as in training, regardless of the actual duration of the
            step.
        reach: largest distance of a target from the measured position; empty: any distance.
        bounds: lowest and highest target.
    """

    def __init__(self, period: float, reach: Sequence[float], bounds: Sequence[tuple[float, float]]) -> None:
        self._period, self._bounds = period, list(bounds)
        self._reach = list(reach) or [float('inf')] * len(self._bounds)
        self._targets: Command | None = None

    def begin(self) -> None:
        """Start at the measured position in the next step."""
        self._targets = None

    def next(self, speed: Sequence[float], measured: Sequence[float]) -> Command:
        """Return the targets after a step at these speeds, given the measured positions."""
        before = self._targets or measured
        self._targets = [
            min(max(min(max(target + rate * self._period, place - reach), place + reach), low), high)
            for target, rate, place, reach, (low, high) in zip(
                before, speed, measured, self._reach, self._bounds, strict=True
            )
        ]
        return self._targets
