"""The time of a simulated robot, counted in steps of its physics."""


class SimulatedTime:
    """
    Counts physics steps: all steps, the steps in which the robot was held, and the steps of the current control period.

    Attributes:
        physics_step: length of a physics step [s].
    """

    physics_step: float

    def __init__(self) -> None:
        self._steps = self._held_steps = 0
        self._step_in_period = self._period_steps = 0

    @property
    def time(self) -> float:
        """Simulated time since this object was made, including held time and resets [s]."""
        return self._steps * self.physics_step

    @property
    def period_end(self) -> float:
        """The :attr:`time` at which the current control period ends [s]."""
        return (self._steps + self._period_steps - self._step_in_period) * self.physics_step

    @property
    def held_time(self) -> float:
        """The part of :attr:`time` during which the robot was held [s]."""
        return self._held_steps * self.physics_step

    def _count_step(self, *, held: bool) -> bool:
        """Count a physics step; return whether it ends the control period."""
        self._steps += 1
        self._held_steps += held
        self._step_in_period += 1
        return self._step_in_period >= self._period_steps
