"""How a command gets from where the robot is to where the policy wants it: ramped in, and never faster than allowed."""

import math

from velora_ros.control.safety import Array, Command, Safety


class Motion:
    """
    Remembers what was sent last and limits what is sent next.

    All of it is within the action's bounds: the starting point, the policy's action, and whatever lies between them.
    Times are those of the steady clock [s].
    """

    def __init__(self) -> None:
        self.last: Command | None = None
        """What was sent last, command or fallback; None since nothing was."""
        self.target: Command | None = None
        """What the policy wanted last; None when commanding was interrupted since."""
        self._sent_at: float | None = None
        self._ramping = True
        self._ramp_from: Command | None = None
        self._ramp_began = 0.0

    def begin(self) -> None:
        """Commanding begins: nobody knows what happened to the robot before, so start from where it is."""
        self.interrupt(None)

    def interrupt(self, last: Command | None) -> None:
        """Commanding is interrupted by a fallback, or by nothing; it will start from there and ramp in again."""
        self.last, self.target, self._sent_at = last, None, None
        self._ramping, self._ramp_from = True, None

    def towards(self, action: Command, observation: Array, steady: float, safety: Safety) -> Command:
        """
        Return the next command on the way to an action; the first is where the robot is, if there are limits.

        Args:
            action: what the policy wants, within the bounds.
            observation: what the policy saw, shape (observation,).
            steady: the time [s].
            safety: the limits.
        """
        if self.last is None and safety.shapes:
            self.last = safety.origin(observation, action)
        self.target = action
        return self._step(action, steady, safety)

    def further(self, steady: float, safety: Safety) -> Command | None:
        """Return the next command on the way to the same action as before; None without one."""
        return None if self.target is None else self._step(self.target, steady, safety)

    def _step(self, action: Command, steady: float, safety: Safety) -> Command:
        if safety.shapes and self.last is not None:
            if self._ramping:
                action = safety.clipped(self._ramped(action, self.last, steady, safety.ramp))
            action = self._slewed(action, self.last, steady, safety)
        else:
            self._ramping = False  # commanding has begun without a ramp; one that is set later waits for the next time
        self.last, self._sent_at = action, steady
        return action

    def _ramped(self, action: Command, last: Command, steady: float, ramp: float) -> Command:
        if self._ramp_from is None:
            self._ramp_from, self._ramp_began = last, steady
        weight = (steady - self._ramp_began) / ramp if ramp > 0 else 1.0
        if weight >= 1:
            self._ramping = False
            return action
        return [start + weight * (value - start) for value, start in zip(action, self._ramp_from, strict=True)]

    def _slewed(self, action: Command, last: Command, steady: float, safety: Safety) -> Command:
        """Return what lies between the last command and the action; so it is within the bounds as both are."""
        elapsed = 0.0 if self._sent_at is None else max(steady - self._sent_at, 0.0)
        time = min(elapsed, safety.longest_step)  # a pause must not earn a jump
        return [
            value if abs(value - before) <= rate * time else before + math.copysign(rate * time, value - before)
            for value, before, rate in zip(action, last, safety.slew_rate, strict=True)
        ]
