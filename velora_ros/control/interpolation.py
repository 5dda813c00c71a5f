"""Interpolates the commands of a slow policy: a straight line to each new command, over one control period."""

Command = list[float]
_END = 1.0 - 1e-9
"""Share of the period at which a line ends; it is below 1 because times are rounded."""


class Interpolation:
    """
    Moves linearly from one command to the next.

    A line begins at the current point of the previous line, or at the last command that was sent, and reaches its
    target one period later. Therefore, the sent commands lag behind the policy by up to one period. Times are on the
    steady clock [s].
    """

    def __init__(self) -> None:
        self._start: Command = []
        self._target: Command | None = None
        self._began = 0.0
        self._period = 1.0
        self.is_over = True
        """Whether the target was returned, or there is no target."""

    def end(self) -> None:
        """Drop the target; the next line begins at the last command that was sent."""
        self._target, self.is_over = None, True

    def turn_to(self, target: Command, last: Command, steady: float, period: float) -> Command:
        """
        Begin a line to a new target, and return its first point.

        Args:
            target: the command for the policy's action.
            last: the last command that was sent.
            steady: the time on the steady clock [s].
            period: the duration of the line [s].
        """
        start = last if self._target is None else self.at(steady)
        self._start, self._target, self._began, self._period, self.is_over = start, target, steady, period, False
        return start

    def at(self, steady: float) -> Command:
        """Return the command at the time ``steady`` [s]: a point on the line, or the target after its end."""
        assert self._target is not None
        share = max(steady - self._began, 0.0) / self._period
        if share >= _END:
            self.is_over = True
            return self._target
        return [start + share * (end - start) for start, end in zip(self._start, self._target, strict=True)]
