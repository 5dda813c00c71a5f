"""Moves position targets, from the measured pose, at the speeds that the policy commands: ``target += speed * T``."""

from collections.abc import Sequence

Command = list[float]


class MovingTargets:
    """
    The position targets of all commanded joints.

    Args:
        period: the control period T [s], for which an action moves a target, whatever the actual duration of the step.
        reach: largest distance of each target from the measured position [rad or m]; empty for no limit.
        bounds: lowest and highest target of each joint [rad or m].
    """

    def __init__(self, period: float, reach: Sequence[float], bounds: Sequence[tuple[float, float]]) -> None:
        self._period, self._bounds = period, list(bounds)
        self._reach = list(reach) or [float('inf')] * len(self._bounds)
        self._targets: Command | None = None

    def begin(self) -> None:
        """Start from the measured positions in the next step."""
        self._targets = None

    def next(self, speed: Sequence[float], measured: Sequence[float]) -> Command:
        """Return the targets [rad or m] after a step with speeds [rad/s or m/s], given the measured positions."""
        before = self._targets or measured
        self._targets = [
            min(max(min(max(target + rate * self._period, place - reach), place + reach), low), high)
            for target, rate, place, reach, (low, high) in zip(
                before, speed, measured, self._reach, self._bounds, strict=True
            )
        ]
        return self._targets
