"""Commands between those of a slow policy: a straight line to each new command, over one control period."""

Command = list[float]
_END = 1.0 - 1e-9
"""Share of the period at which a line ends, short of 1 by the rounding of times."""


class Interpolation:
    """
    Moves from one command to the next.

    A line begins at the current point of the previous one, or at the last command that was sent, and stops at its
    target one period later. So the sent commands lag behind the policy's by up to one period. Times are those of the
    steady clock [s].
    """

    def __init__(self) -> None:
        self._start: Command = []
        self._target: Command | None = None
        self._began = 0.0
        self._period = 1.0
        self.is_over = True
        """Whether the target was returned, or there is none."""

    def end(self) -> None:
        """Drop the target; the next line begins at the last command that was sent."""
        self._target, self.is_over = None, True

    def turn_to(self, target: Command, last: Command, steady: float, period: float) -> Command:
        """
        Begin a line to a new target; return its first point.

        Args:
            target: the command for the policy's action.
            last: the last command that was sent.
            steady: the time [s].
            period: how long the line takes [s].
        """
        start = last if self._target is None else self.at(steady)
        self._start, self._target, self._began, self._period, self.is_over = start, target, steady, period, False
        return start

    def at(self, steady: float) -> Command:
        """Return the command at a time [s]: on the line, and the target itself from its end on."""
        assert self._target is not None
        share = max(steady - self._began, 0.0) / self._period
        if share >= _END:
            self.is_over = True
            return self._target
        return [start + share * (end - start) for start, end in zip(self._start, self._target, strict=True)]
