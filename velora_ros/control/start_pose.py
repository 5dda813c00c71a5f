"""Moves the joints from the measured pose to the start pose at a limited speed, and then holds them."""

import math
from collections.abc import Sequence

Command = list[float]

NEAR = 0.1
"""Largest distance of a joint from the start pose at which the robot is ready [rad or m]; see also :data:`SAG`."""
SAG = 0.25
"""A joint may be further away by this share of its servo's deflection under the largest effort, due to its load."""
STEADY_S = 0.5
"""Time for which every joint must be close to the start pose before the robot is ready [s]."""
_LONGEST_STEP = 0.1  # s; a pause must not allow a jump


class StartPose:
    """
    Moves the commanded joints to the start pose.

    Args:
        pose: the start pose [rad or m].
        speeds: largest speed of each joint's target [rad/s or m/s].
        limits: lowest and highest position of each joint [rad or m].
        reach: deflection of each joint's servo under the largest effort [rad or m]; empty for none.
    """

    def __init__(
        self,
        pose: Sequence[float],
        speeds: Sequence[float],
        limits: Sequence[tuple[float, float]],
        reach: Sequence[float] = (),
    ) -> None:
        self._near = [NEAR + SAG * bend for bend in reach or [0.0] * len(pose)]
        self.speeds = list(speeds)
        """Largest speed of each joint's target."""
        self._pose, self._limits = list(pose), list(limits)
        self.begin()

    def begin(self) -> None:
        """Start from the measured pose in the next step."""
        self._target: Command | None = None
        self._at = 0.0
        self._near_since: float | None = None
        self.ready = False
        """Whether the robot has been at the start pose for :data:`STEADY_S`."""

    def next(self, measured: Sequence[float], steady: float) -> Command:
        """Return the next targets [rad or m], given the measured positions and the time on the steady clock [s]."""
        if self._target is None:
            self._target = [min(max(here, low), high) for here, (low, high) in zip(measured, self._limits, strict=True)]
            self._at = steady
        time = min(max(steady - self._at, 0.0), _LONGEST_STEP)
        self._target = [
            goal if abs(goal - here) <= speed * time else here + math.copysign(speed * time, goal - here)
            for here, goal, speed in zip(self._target, self._pose, self.speeds, strict=True)
        ]
        self._at = steady
        self._judge(measured, steady)
        return self._target

    def _judge(self, measured: Sequence[float], steady: float) -> None:
        joints = zip(measured, self._pose, self._near, strict=True)
        near = all(abs(goal - here) <= room for here, goal, room in joints)
        if not near or self._target != self._pose:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = steady
        self.ready = self._near_since is not None and steady - self._near_since >= STEADY_S
